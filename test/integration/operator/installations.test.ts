import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { bodyOf, type KubeObject, type Ref, type TestApi } from '../../support/api.ts';
import { applyObjects } from '../../support/apply.ts';
import { eventually } from '../../support/eventually.ts';
import { httpUrl } from '../../support/http.ts';
import {
  claimsIn,
  conditionOf,
  type Installation,
  install,
  oauthClient,
  SYSTEM,
  signingKey,
  token,
  waitForReason,
} from '../../support/installation.ts';
import type { OperatorProcess } from '../../support/operator-process.ts';

/** Two installations in one cluster, both of which watch everything (spec §2.4, Issuer). */

const FIRST = 'https://first.example/first';
const SECOND = 'https://second.example/second';
const MOVED = 'https://first.example/moved';

let installation: Installation;
let api: TestApi;
let first: OperatorProcess;
let second: OperatorProcess;
let secondNamespace: string;
let team: string;

const startFirst = async (issuer: object = { url: FIRST }): Promise<OperatorProcess> => {
  const operator = await installation.operator({ config: { issuer } });
  await operator.ready();
  await eventually(async () => (await operator.metric('m2moauth_leader')) === 1);
  return operator;
};

/** As an administrator: its own namespace has no roles. */
const startSecond = async (url = SECOND, namespace = secondNamespace): Promise<OperatorProcess> => {
  const operator = await installation.operator({
    kubeconfigPath: installation.cluster.kubeconfigPath,
    config: { issuer: { url }, kubernetes: { namespace } },
  });
  return operator;
};

const namespaceWithKey = async (name: string): Promise<string> => {
  const namespace = await api.createNamespace(name);
  const key = { ...signingKey(), metadata: { name: 'default', namespace } };
  await applyObjects(api, [key], { namespace });
  return namespace;
};

const read = async (ref: Ref): Promise<KubeObject> => bodyOf(await api.get(ref));
const client = (name: string) => oauthClient(name, team);
const tokenOf = (name: string, of = name) => token(name, team, { clientRef: { name: of } });
const secretOf = (name: string): Ref => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name, namespace: team },
});
const issuerIn = async (name: string): Promise<unknown> => claimsIn(await read(secretOf(name))).iss;
const jwtIn = async (name: string): Promise<string> =>
  Buffer.from((await read(secretOf(name))).data.token, 'base64').toString();
const patchSpec = async (ref: Ref, spec: object): Promise<void> =>
  void bodyOf(await api.patch(ref, 'merge', { spec }));

/** Creates a client and a Token of it, and waits until that is issued. */
const issue = async (name: string, spec: object = {}): Promise<void> => {
  bodyOf(await api.create(oauthClient(name, team, spec)));
  bodyOf(await api.create(tokenOf(name)));
  await waitForReason(api, tokenOf(name), 'Issued');
};

/** A new JWT of the Token, by its own issuer, after which the other one has looked at the Token as well. */
const renewBefore = async (name: string, other: OperatorProcess): Promise<void> => {
  const looks = (): Promise<number> => other.sum('m2moauth_reconciles_total', 'kind="Token"');
  const before = await looks();
  const { issuance } = (await read(tokenOf(name))).status;
  const annotations = { 'm2moauth.dev/renew': String(issuance) };
  bodyOf(await api.patch(tokenOf(name), 'merge', { metadata: { annotations } }));
  await eventually(async () => {
    expect((await read(tokenOf(name))).status.issuance).toBe(issuance + 1);
    expect(await looks()).toBeGreaterThan(before);
  });
};

beforeAll(async () => {
  installation = await install();
  api = installation.api;
  team = await api.createNamespace('team');
  secondNamespace = await namespaceWithKey('second');
  first = await startFirst();
  await issue('early');
  await issue('moving');
  second = await startSecond();
  await second.ready();
  await eventually(async () => (await second.metric('m2moauth_leader')) === 1);
});
afterAll(() => installation?.close());

test('what one has registered stays with it: each Token is issued once, by its issuer alone', async () => {
  await renewBefore('early', second);
  expect((await read(client('early'))).status.issuer).toBe(FIRST);
  await issue('chosen', { issuer: SECOND });
  expect((await read(client('chosen'))).status.issuer).toBe(SECOND);
  await renewBefore('chosen', first);
  const issuances = [];
  for (const name of ['early', 'chosen']) issuances.push((await read(tokenOf(name))).status.issuance);
  expect(issuances).toEqual([2, 2]);
  expect([await issuerIn('early'), await issuerIn('chosen')]).toEqual([FIRST, SECOND]);
});

test('the other one says so in a metric, and once in the log', async () => {
  await issue('more', { issuer: FIRST });
  await eventually(async () => {
    // early, moving, more, and `shared` of the installation.
    expect(await second.metric('m2moauth_clients{state="OtherIssuer"}')).toBe(4);
    expect(await first.metric('m2moauth_clients{state="OtherIssuer"}')).toBe(1);
  });
  const lines = second.log.filter(({ message }) => message.includes('another issuer'));
  expect(lines.map(({ issuer }) => issuer)).toEqual([FIRST]);
});

test('a revocation is written by the issuer, and the tokens are none of the other’s', async () => {
  await issue('revoked', { issuer: SECOND });
  await patchSpec(tokenOf('revoked'), { revoked: true });
  await waitForReason(api, tokenOf('revoked'), 'Blacklisted');
  const headers = { Authorization: `Bearer ${await jwtIn('chosen')}` };
  const status = async (operator: OperatorProcess, base: string): Promise<number> =>
    (await fetch(`${await httpUrl(operator, base)}/api/v1/tokens`, { headers })).status;
  expect([await status(second, '/second'), await status(first, '/first')]).toEqual([200, 401]);
});

test('a client that both could have is nobody’s, until its spec says whose', async () => {
  // It sees the second one at its start at the latest.
  await first.stop();
  first = await startFirst();
  bodyOf(await api.create(client('open')));
  bodyOf(await api.create(tokenOf('open')));
  const asked = await waitForReason(api, client('open'), 'IssuerUndecided');
  expect(conditionOf(asked)?.message).toContain(`"${FIRST}", "${SECOND}"`);
  expect([asked.status.clientID, asked.status.issuer]).toEqual([undefined, undefined]);
  await patchSpec(client('open'), { issuer: SECOND });
  await waitForReason(api, client('open'), 'Registered');
  await waitForReason(api, tokenOf('open'), 'Issued');
  expect(await issuerIn('open')).toBe(SECOND);
  const other = await api.patch(client('open'), 'merge', { spec: { issuer: FIRST } });
  expect([other.status, JSON.stringify(other.body)]).toEqual([
    422,
    expect.stringContaining("spec.issuer can't be changed or removed once it is there"),
  ]);
});

test('a client of a release without issuers goes to the one that has signed its tokens', async () => {
  const { resourceVersion } = (await read(client('early'))).metadata;
  const status = { issuer: null };
  bodyOf(await api.patch(client('early'), 'merge', { status }, { subresource: 'status' }));
  await eventually(async () => {
    const found = await read(client('early'));
    expect(found.metadata.resourceVersion).not.toBe(resourceVersion);
    expect(found.status.issuer).toBe(FIRST);
  });
  expect(await issuerIn('early')).toBe(FIRST);
});

test('a client moves once: its Token is issued by the other, and its JWT from before is rejected', async () => {
  const jwt = await jwtIn('moving');
  const check = async (): Promise<number> => {
    const headers = { Authorization: `Bearer ${jwt}` };
    return (await fetch(`${await httpUrl(first, '/first')}/api/v1/tokens`, { headers })).status;
  };
  expect(await check()).toBe(200);
  await patchSpec(client('moving'), { issuer: SECOND });
  await eventually(async () => expect(await issuerIn('moving')).toBe(SECOND));
  expect(await check()).toBe(401);
});

test('a second one with the same URL ends, and says why', async () => {
  const third = await startSecond(FIRST, await namespaceWithKey('third'));
  expect(await third.exited).toBe(1);
  const why = third.log.find(({ level, message }) => level === 'error' && message.includes('beside another'));
  expect(why?.why).toContain(`namespace ${SYSTEM} has the same issuer.url ${FIRST}`);
});

test('a URL that changes takes the clients along, and JWTs of before stay valid', async () => {
  const jwt = await jwtIn('early');
  await first.stop();
  first = await startFirst({ url: MOVED, previousURLs: [FIRST] });
  await eventually(async () => expect((await read(client('early'))).status.issuer).toBe(MOVED));
  await eventually(async () => expect(await issuerIn('early')).toBe(MOVED));
  const base = await httpUrl(first, '/moved');
  const headers = { Authorization: `Bearer ${jwt}` };
  expect((await fetch(`${base}/api/v1/tokens`, { headers })).status).toBe(200);
  const document = await fetch(new URL('/first/.well-known/openid-configuration', base));
  expect(await document.json()).toMatchObject({ issuer: FIRST, token_endpoint: `${MOVED}/oauth/token` });
});
