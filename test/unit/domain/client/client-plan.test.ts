import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { findCondition, setCondition } from '../../../../operator/api/meta.ts';
import type { OAuthClient } from '../../../../operator/api/oauth-client.ts';
import { type ClientPlan, planClient } from '../../../../operator/domain/client/client-plan.ts';
import { isRegistered, requestedClientID } from '../../../../operator/domain/client/client-rules.ts';
import type { IssuerDecision } from '../../../../operator/domain/client/issuer-decision.ts';
import { issuerSettings } from '../../../support/issuer-settings.ts';

const BEFORE = 'https://before.example.com';
const settings = issuerSettings({
  url: 'https://issuer.example.com',
  previousURLs: [BEFORE],
  ownerClaim: 'https://example.com/owner',
  deviceIDClaim: 'https://example.com/device',
});
const NOW = Date.UTC(2026, 0, 1);

const clientOf = (name: string, spec: object = {}, at = 0): OAuthClient => ({
  apiVersion: 'm2moauth.dev/v1alpha1',
  kind: 'OAuthClient',
  metadata: {
    name,
    namespace: 'team',
    uid: `uid-${name}`,
    resourceVersion: '1',
    generation: 3,
    creationTimestamp: new Date(NOW - 86_400_000 + at * 1000).toISOString().replace('.000Z', 'Z'),
  },
  spec: {
    accessTokenLifetime: '1h',
    allowedGrantTypes: ['client_credentials'],
    recording: 'PerToken',
    ...spec,
  },
});

const holding = (client: OAuthClient): OAuthClient => ({
  ...client,
  status: { clientID: requestedClientID(client) },
});
const inConflict = (client: OAuthClient): OAuthClient => {
  const condition = { type: 'Ready', status: 'False', reason: 'ClientIDConflict', message: '' } as const;
  const at = { now: '2025-12-31T00:00:00Z', observedGeneration: 3 };
  return { ...client, status: { conditions: setCondition([], condition, at) } };
};
const lostAt = (client: OAuthClient, issuer: string): OAuthClient => {
  const lost = inConflict(client);
  return { ...lost, status: { ...lost.status, issuer } };
};
const plan = (client: OAuthClient, claimants: readonly OAuthClient[] = [client]): ClientPlan =>
  planClient({ client, claimants, settings, now: NOW });
const outcome = (client: OAuthClient, claimants?: readonly OAuthClient[]) => {
  const planned = plan(client, claimants);
  if (planned.kind !== 'write') return planned.kind;
  const { status, reason } = findCondition(planned.status.conditions, 'Ready') ?? {};
  return { clientID: planned.status.clientID, ready: `${status} ${reason}` };
};

describe('a claim', () => {
  const app = { clientID: 'app' };
  const old = clientOf('old', app, 0);
  const young = clientOf('young', app, 10);
  const registered = { clientID: 'app', ready: 'True Registered' };
  const conflict = { clientID: undefined, ready: 'False ClientIDConflict' };

  test.each([
    ['that no other client asks for is registered', young, [], registered],
    ['goes to the oldest claimant', old, [young], registered],
    ['waits for the older one to be asked', young, [old], 'wait'],
    ['is kept against an older claimant by who holds it', holding(young), [old], registered],
    ['is lost to the registered client, however young', old, [holding(young)], conflict],
    ['stays lost when the registered client is gone', inConflict(old), [], conflict],
    ['stays lost at this issuer', lostAt(old, settings.url), [], conflict],
    ['stays lost at a URL that this issuer had before', lostAt(old, BEFORE), [], conflict],
    [
      'that was lost at another issuer is made here',
      lostAt(old, 'https://other.example.com'),
      [],
      registered,
    ],
    ['waits for the older one that lost it at another issuer', young, [lostAt(old, 'https://other')], 'wait'],
    ['is not waited for where the older one lost it', young, [inConflict(old)], registered],
    ['that two hold stays with the older', holding(old), [holding(young)], registered],
    ['that two hold is taken from the younger', holding(young), [holding(old)], conflict],
    ['of another ID in the status is none', { ...young, status: { clientID: 'other' } }, [], registered],
  ])('%s', (_, client, others, expected) => {
    expect(outcome(client, [client, ...others])).toEqual(expected);
  });

  test('of equal age is decided by namespace and name', () => {
    const [a, b] = [clientOf('a', app), clientOf('b', app)];
    expect(outcome(a, [b, a])).toEqual(registered);
    expect(outcome(b, [b, a])).toBe('wait');
  });
});

describe('a registered client', () => {
  test('keeps its client ID while suspended', () => {
    expect(outcome(holding(clientOf('app', { suspended: true })))).toEqual({
      clientID: 'app',
      ready: 'False Suspended',
    });
  });

  test.each([
    ['the configured owner claim', { 'https://example.com/owner': 'root' }, 'https://example.com/owner'],
    ['the configured device-ID claim', { 'https://example.com/device': 'x' }, 'https://example.com/device'],
    ['a registered claim', { iss: 'https://evil.example.com' }, 'iss'],
    ['more than 4 KiB', { a: 'x'.repeat(4100) }, '4096'],
    ['a number that is not exact', JSON.parse('{"a": {"tenant": 9007199254740993}}'), 'at "a.tenant"'],
    ['a number beyond every double', JSON.parse('{"tenant": 1e400}'), 'at "tenant"'],
  ])('gets no tokens where insertTokenClaims has %s', (_, insertTokenClaims, word) => {
    const planned = plan(clientOf('app', { insertTokenClaims }));
    if (planned.kind !== 'write') throw new Error(planned.kind);
    const ready = findCondition(planned.status.conditions, 'Ready');
    expect(ready).toMatchObject({ status: 'False', reason: 'Suspended' });
    expect(ready?.message).toContain(word);
    expect(planned.status.clientID).toBe('app');
  });

  test('may insert numbers that are exact', () => {
    const insertTokenClaims = JSON.parse(
      '{"tenant": 9007199254740991, "share": 0.1, "zero": -0, "one": 1.0}',
    );
    expect(outcome(clientOf('app', { insertTokenClaims }))).toMatchObject({ ready: 'True Registered' });
  });

  test('may insert what is not reserved, up to 4 KiB', () => {
    const insertTokenClaims = { roles: 'x'.repeat(4096 - '{"roles":""}'.length) };
    expect(outcome(clientOf('app', { insertTokenClaims }))).toMatchObject({ ready: 'True Registered' });
  });
});

describe('the issuer of a client', () => {
  const decided = (client: OAuthClient, issuer: IssuerDecision): ClientPlan =>
    planClient({ client, claimants: [client], settings, issuer, now: NOW });
  const undecided: IssuerDecision = { kind: 'undecided', candidates: ['https://a', 'https://b'] };

  test.each([
    ['is registered', clientOf('app')],
    ['holds its ID from an earlier release', holding(clientOf('app'))],
    [
      'comes from a URL that this issuer had before',
      { ...clientOf('app'), status: { issuer: 'https://old' } },
    ],
    ['has lost its ID', inConflict(clientOf('app'))],
  ])('is written when it %s', (_, client) => {
    const planned = plan(client);
    if (planned.kind !== 'write') throw new Error(planned.kind);
    expect(planned.status.issuer).toBe(settings.url);
    expect(plan({ ...client, status: planned.status }).kind).toBe('nothing');
  });

  test('leaves it alone where it is another one', () => {
    expect(decided(holding(clientOf('app')), { kind: 'other' })).toEqual({ kind: 'nothing' });
  });

  test('is asked for where there are several: the client is not registered meanwhile', () => {
    const planned = decided(holding(clientOf('app')), undecided);
    if (planned.kind !== 'write') throw new Error(planned.kind);
    expect(planned.status).toMatchObject({ observedGeneration: 3 });
    expect([planned.status.clientID, planned.status.issuer]).toEqual([undefined, undefined]);
    expect(findCondition(planned.status.conditions, 'Ready')).toMatchObject({
      status: 'False',
      reason: 'IssuerUndecided',
      message: expect.stringMatching(/set spec\.issuer to .* \("https:\/\/a", "https:\/\/b"\)$/u),
    });
  });

  test('is asked for once for a spec, whatever others know of candidates: two installations do not answer each other', () => {
    const planned = decided(clientOf('app'), undecided);
    if (planned.kind !== 'write') throw new Error(planned.kind);
    const asked = { ...clientOf('app'), status: planned.status };
    expect(decided(asked, { kind: 'undecided', candidates: ['https://c'] }).kind).toBe('nothing');
    const edited = { ...asked, metadata: { ...asked.metadata, generation: 4 } };
    expect(decided(edited, undecided).kind).toBe('write');
    expect(plan(asked).kind).toBe('write');
  });
});

test('a condition keeps its transition time while its status does, and other conditions stay', () => {
  const other = { type: 'CredentialsReady', status: 'True', reason: 'Verified', message: '' } as const;
  const at = { now: '2025-06-01T00:00:00Z', observedGeneration: 1 };
  const ready = { type: 'Ready', status: 'True', reason: 'Registered', message: 'old words' } as const;
  const client = {
    ...clientOf('app'),
    status: { clientID: 'app', conditions: setCondition(setCondition([], other, at), ready, at) },
  };
  const planned = plan(client);
  if (planned.kind !== 'write') throw new Error(planned.kind);
  expect(findCondition(planned.status.conditions, 'Ready')).toMatchObject({
    lastTransitionTime: at.now,
    observedGeneration: 3,
  });
  expect(findCondition(planned.status.conditions, 'CredentialsReady')?.observedGeneration).toBe(1);
});

test('what a plan has written plans to nothing, and in whatever order claimants are asked, one holds each ID', () => {
  const claimants = fc.uniqueArray(
    fc.record({ name: fc.constantFrom('a', 'b', 'c', 'd'), id: fc.constantFrom('x', 'y'), at: fc.nat(3) }),
    { selector: ({ name }) => name, minLength: 1 },
  );
  fc.assert(
    fc.property(claimants, fc.array(fc.nat(3), { minLength: 8, maxLength: 30 }), (made, order) => {
      const clients = made.map(({ name, id, at }) => clientOf(name, { clientID: id }, at));
      const rounds = [...order, ...clients.keys(), ...clients.keys(), ...clients.keys(), ...clients.keys()];
      for (const turn of rounds) {
        const at = turn % clients.length;
        const client = clients[at];
        if (!client) continue;
        const planned = plan(
          client,
          clients.filter((other) => requestedClientID(other) === requestedClientID(client)),
        );
        if (planned.kind === 'write') clients[at] = { ...client, status: planned.status };
      }
      for (const client of clients) {
        const same = clients.filter((other) => requestedClientID(other) === requestedClientID(client));
        expect(same.filter(isRegistered)).toHaveLength(1);
        expect(plan(client, same).kind).toBe('nothing');
      }
    }),
  );
});
