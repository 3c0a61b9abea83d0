import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { bodyOf, type KubeObject } from '../../support/api.ts';
import { eventually } from '../../support/eventually.ts';
import {
  GROUP_VERSION,
  type Installation,
  install,
  oauthClient,
  signingKey,
} from '../../support/installation.ts';
import type { OperatorProcess } from '../../support/operator-process.ts';

/** The compiled operator as the leader of IssuedTokens, with its ServiceAccount's permissions and no others. */

let installation: Installation;
let operator: OperatorProcess;
let namespace: string;

beforeAll(async () => {
  installation = await install();
  namespace = await installation.api.createNamespace('issued');
  operator = await installation.operator({
    config: { garbageCollection: { ttlAfterExpiry: '1s', ttlAfterBlacklisted: '720h' } },
  });
  await operator.ready();
}, 600_000);
afterAll(() => installation?.close());

const activeKid = (): Promise<string> =>
  eventually(async () => {
    const { status } = bodyOf(await installation.api.get(signingKey()));
    return status?.keys?.find(({ phase }: { phase: string }) => phase === 'Active')?.kid ?? false;
  });

const client = async (name: string): Promise<KubeObject> =>
  bodyOf(await installation.api.create(oauthClient(name, namespace, { clientID: `${name}-${namespace}` })));

/** A record as a server makes it; `seconds` from now it expires. */
const record = async (of: KubeObject, { seconds = 3600, keyID = '' } = {}): Promise<KubeObject> => {
  const time = (ms: number): string => new Date(ms).toISOString().replace(/\.\d+Z$/u, 'Z');
  const spec = {
    clientRef: { name: of.metadata.name },
    clientID: of.spec.clientID,
    clientUID: of.metadata.uid,
    owner: of.spec.owner,
    subject: of.spec.owner,
    issuedAt: time(Date.now()),
    expiration: time(Date.now() + seconds * 1000),
    keyID: keyID === '' ? await activeKid() : keyID,
  };
  const metadata = { name: randomUUID(), namespace };
  return bodyOf(
    await installation.api.create({ apiVersion: GROUP_VERSION, kind: 'IssuedToken', metadata, spec }),
  );
};

const isGone = (object: KubeObject): Promise<void> =>
  eventually(async () => expect((await installation.api.get(object)).status).toBe(404), {
    timeoutMs: 30_000,
  });
const isBlacklisted = (object: KubeObject): Promise<void> =>
  eventually(async () =>
    expect(bodyOf(await installation.api.get(object)).status).toMatchObject({
      version: 1,
      blacklisted: { flag: true },
    }),
  );

test('records are blacklisted and collected, with no permission more than the role gives', async () => {
  const { api } = installation;
  const [staying, going] = [await client('staying'), await client('going')];
  const keyID = await activeKid();
  const valid = await record(staying, { keyID: 'z'.repeat(43) });
  const revoked = await record(staying);
  const expiring = await record(staying, { seconds: 1 });
  const orphan = await record(going);
  bodyOf(await api.patch(revoked, 'merge', { spec: { revoked: true } }));
  await isBlacklisted(revoked);
  bodyOf(await api.delete(going));
  await isGone(orphan);
  await isGone(expiring);
  const signed = await record(staying, { keyID });
  bodyOf(await api.patch(signingKey(), 'merge', { spec: { compromised: [keyID] } }));
  await isBlacklisted(signed);
  expect(bodyOf(await api.get(valid)).status).toBeUndefined();
  const collected = (why: string) => operator.sum('m2moauth_issued_tokens_collected_total', `why="${why}"`);
  await eventually(async () => {
    expect(await Promise.all(['Expired', 'ClientGone', 'Blacklisted'].map(collected))).toEqual([1, 1, 0]);
    expect(await operator.sum('m2moauth_tokens_blacklisted_total')).toBe(2);
  });
  expect(await operator.sum('m2moauth_api_requests_total', 'code="403"')).toBe(0);
  expect(operator.log.filter(({ level }) => level === 'error' || level === 'stderr')).toEqual([]);
}, 120_000);
