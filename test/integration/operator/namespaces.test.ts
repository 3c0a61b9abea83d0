import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { bodyOf } from '../../support/api.ts';
import { eventually } from '../../support/eventually.ts';
import {
  type Installation,
  install,
  oauthClient,
  SYSTEM,
  token,
  waitForReason,
} from '../../support/installation.ts';
import type { OperatorProcess } from '../../support/operator-process.ts';

/** `kubernetes.watchNamespaces`: some namespaces, and no eye for the rest. */

let installation: Installation;
let operator: OperatorProcess;
let watched: string;
let ignored: string;

beforeAll(async () => {
  installation = await install();
  watched = await installation.api.createNamespace('watched');
  ignored = await installation.api.createNamespace('ignored');
  operator = await installation.operator({
    config: { kubernetes: { namespace: SYSTEM, watchNamespaces: [watched] } },
  });
  await operator.ready();
}, 600_000);
afterAll(() => installation?.close());

test('Tokens of a watched namespace are issued, others are left alone', async () => {
  const { api } = installation;
  for (const namespace of [watched, ignored]) {
    bodyOf(await api.create(oauthClient('local', namespace, { clientID: `local-${namespace}` })));
    bodyOf(await api.create(token('a', namespace, { clientRef: { name: 'local' } })));
  }
  await waitForReason(api, token('a', watched), 'Issued');
  expect(bodyOf(await api.get(token('a', ignored))).status).toBeUndefined();
}, 60_000);

test('a Secret that is deleted there comes back', async () => {
  const { api } = installation;
  const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'a', namespace: watched } };
  const { uid } = bodyOf(await api.get(secret)).metadata;
  bodyOf(await api.delete(secret));
  await eventually(async () => bodyOf(await api.get(secret)).metadata.uid !== uid);
}, 60_000);

test('a client in a namespace that is not watched is not found', async () => {
  const { api } = installation;
  bodyOf(await api.create(token('far', watched, { clientRef: { name: 'local', namespace: ignored } })));
  await waitForReason(api, token('far', watched), 'ClientNotFound');
}, 60_000);
