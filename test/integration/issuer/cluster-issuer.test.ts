import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { findJwkProblem } from '../../../operator/crypto/public-jwk.ts';
import { fetchIssuerKeys, fetchJwks } from '../../../operator/issuer/authentication/issuer-documents.ts';
import { jsonFetcher } from '../../../operator/outbound/fetch-json.ts';
import { readKubeconfig } from '../../cluster/kubeconfig.ts';
import { bodyOf, testApi } from '../../support/api.ts';
import { eventually } from '../../support/eventually.ts';

/** The documents of a cluster as an issuer of ServiceAccount tokens, from its real API server. */

const api = testApi();
const { server, ca } = readKubeconfig(process.env.M2M_TEST_KUBECONFIG ?? '');
let dir: string;
let reader: Parameters<typeof fetchJwks>[0];

/** Lets unauthenticated callers read the documents, as docs/operations.md says. */
let binding: Parameters<typeof api.delete>[0];

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'm2m-cluster-issuer-'));
  const caFile = join(dir, 'ca.crt');
  await writeFile(caFile, ca);
  reader = { fetchJson: jsonFetcher({ caFile, allowedCIDRs: ['127.0.0.0/8', '::1'] }), findJwkProblem };
  binding = {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRoleBinding',
    metadata: { name: `discovery-${await api.createNamespace()}` },
  };
});
afterAll(async () => {
  await api.delete(binding);
  await api.close();
  await rm(dir, { recursive: true, force: true });
});

test('a cluster answers 403 to unauthenticated callers, which is said with the document, and gives its keys once they may read them', async () => {
  await expect(fetchIssuerKeys(reader, server, {})).rejects.toThrow(
    /^the discovery document: [^ ]+ answered with no document \(403\): it has to be readable without credentials$/u,
  );
  const apiGroup = 'rbac.authorization.k8s.io';
  bodyOf(
    await api.create({
      ...binding,
      roleRef: { apiGroup, kind: 'ClusterRole', name: 'system:service-account-issuer-discovery' },
      subjects: [{ apiGroup, kind: 'Group', name: 'system:unauthenticated' }],
    }),
  );
  const keys = await eventually(() =>
    fetchJwks(reader, `${server}/openid/v1/jwks`, {}).catch(() => false as const),
  );
  expect(keys).not.toEqual([]);
  await eventually(() =>
    expect(fetchIssuerKeys(reader, server, {})).rejects.toThrow(
      `the issuer in the discovery document is another: "https://kubernetes.default.svc", expected "${server}"`,
    ),
  );
});
