import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Agent } from 'undici';
import { parse, stringify } from 'yaml';
import { AUDIENCE, makeSecretClient, type SecretClient } from '../../clients/http-clients.ts';
import { type HttpServerProcess, startHttpServer } from '../../clients/http-server.ts';
import { obtainToken, revokeToken, tampered } from '../../clients/http-token.ts';
import { codeBlock } from '../../clients/page.ts';
import { ROOT } from '../../clients/programs.ts';
import { type Cluster, startCluster } from '../../cluster/cluster.ts';
import { readKubeconfig } from '../../cluster/kubeconfig.ts';
import { eventually } from '../../support/eventually.ts';
import { type Installation, install } from '../../support/installation.ts';

/** Another cluster's kube-apiserver that takes our tokens for users' credentials, configured as docs/verify.md says. */

/** What stands in docs/verify.md. */
const CLUSTER = 'https://kubernetes.example.com';

let installation: Installation;
let server: HttpServerProcess;
let deployer: SecretClient;
let otherClient: SecretClient;
let dir: string;
let cluster: Cluster;
let agent: Agent;

/** The page's own configuration, for this issuer. */
const configurationFor = async ({ issuer, ca }: HttpServerProcess): Promise<string> => {
  const page = await readFile(join(ROOT, 'docs/verify.md'), 'utf8');
  const configuration = parse(codeBlock(page, 'verify-kubernetes', 'yaml'));
  Object.assign(configuration.jwt[0].issuer, { url: issuer, certificateAuthority: ca });
  return stringify(configuration);
};

beforeAll(async () => {
  installation = await install();
  const { server: opened, prepared } = await startHttpServer(installation, {
    prepare: async () => {
      const place = { api: installation.api, namespace: await installation.api.createNamespace('users') };
      const spec = { allowedAudiences: [CLUSTER, AUDIENCE] };
      return Promise.all([
        makeSecretClient(place, 'deployer', { spec }),
        makeSecretClient(place, 'other', { spec }),
      ]);
    },
  });
  server = opened;
  [deployer, otherClient] = prepared;
  dir = await mkdtemp(join(tmpdir(), 'm2m-authentication-'));
  const path = join(dir, 'authentication.yaml');
  await writeFile(path, await configurationFor(server));
  cluster = await startCluster({ apiserverFlags: [`--authentication-config=${path}`] });
  agent = new Agent({ connect: { ca: readKubeconfig(cluster.kubeconfigPath).ca } });
}, 240_000);
afterAll(async () => {
  await agent?.destroy();
  await cluster?.stop();
  if (dir) await rm(dir, { recursive: true });
  await server?.close();
  await installation?.close();
});

interface WhoAmI {
  readonly status: number;
  readonly user: { readonly username?: string; readonly groups?: readonly string[] };
}

/** Who the API server takes the bearer for. */
const whoAmI = async (jwt: string): Promise<WhoAmI> => {
  const answer = await agent.request({
    origin: cluster.url,
    path: '/apis/authentication.k8s.io/v1/selfsubjectreviews',
    method: 'POST',
    headers: { authorization: `Bearer ${jwt}`, 'content-type': 'application/json' },
    body: JSON.stringify({ apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' }),
  });
  const body = (await answer.body.json()) as { status?: { userInfo?: WhoAmI['user'] } };
  return { status: answer.statusCode, user: body.status?.userInfo ?? {} };
};

/** Right after its start the API server may not have the issuer's keys yet: it tries again every 10 s. */
const isReady = (): Promise<unknown> =>
  eventually(
    async () => (await whoAmI(await obtainToken(server, deployer, { audience: CLUSTER }))).status === 201,
    { timeoutMs: 30_000, intervalMs: 500 },
  );

describe('kube-apiserver as a verifier', () => {
  beforeAll(isReady, 40_000);

  test('takes an issued token for its subject, and its scope for groups', async () => {
    const { status, user } = await whoAmI(
      await obtainToken(server, deployer, { audience: CLUSTER, scope: 'read' }),
    );
    expect(status).toBe(201);
    expect(user.username).toBe(`m2m:${deployer.owner}`);
    expect(user.groups).toEqual(['m2m:read', 'system:authenticated']);
  });

  test('takes none for another audience', async () => {
    expect(await whoAmI(await obtainToken(server, deployer, { audience: AUDIENCE }))).toEqual({
      status: 401,
      user: {},
    });
  });

  test('takes none of a client that its rule does not name', async () => {
    expect((await whoAmI(await obtainToken(server, otherClient, { audience: CLUSTER }))).status).toBe(401);
  });

  test('rejects a changed token', async () => {
    expect((await whoAmI(tampered(await obtainToken(server, deployer, { audience: CLUSTER })))).status).toBe(
      401,
    );
  });

  test('rejects an expired token, and caches a positive review for no longer than 10 s', async () => {
    const expiration = Math.ceil(Date.now() / 1000) + 4;
    const jwt = await obtainToken(server, deployer, { audience: CLUSTER, expiration: String(expiration) });
    expect((await whoAmI(jwt)).status).toBe(201);
    await eventually(async () => (await whoAmI(jwt)).status === 401, { timeoutMs: 20_000, intervalMs: 200 });
    expect(Date.now() / 1000).toBeLessThan(expiration + 12);
  }, 40_000);

  test('does not ask, and so takes a revoked one until it expires', async () => {
    const jwt = await obtainToken(server, deployer, { audience: CLUSTER });
    await revokeToken(server, deployer, jwt);
    expect((await whoAmI(jwt)).status).toBe(201);
  });
});
