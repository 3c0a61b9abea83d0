import { beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { OAuthClient } from '../../../../operator/api/oauth-client.ts';
import { createAuthenticateClient } from '../../../../operator/issuer/authentication/authenticate-client.ts';
import { createAuthenticationFailures } from '../../../../operator/issuer/authentication/authentication-failures.ts';
import {
  type CheckAssertion,
  JWT_BEARER,
} from '../../../../operator/issuer/authentication/client-assertions.ts';
import { createFailureLimit } from '../../../../operator/issuer/authentication/failure-limit.ts';
import type { IssuerFailure } from '../../../../operator/issuer/failure.ts';
import { createRequestQueues } from '../../../../operator/issuer/request-queues.ts';
import type {
  AuthenticateClient,
  AuthenticatedClient,
  ClientCredentials,
} from '../../../../operator/issuer/use-cases.ts';
import { type TestSigner, testSigner } from '../../../support/assertions.ts';
import { FakeClock, settle } from '../../../support/fake-clock.ts';
import { recordedLog, recordedMetrics } from '../../../support/quiet.ts';
import { type Authentication, cacheOf, clientWith, patient } from '../clients.ts';

const SECRET: Authentication = { clientSecret: { secretRef: { name: 's', key: 'client_secret' } } };
const ACCOUNTS: Authentication = { serviceAccounts: [{ namespace: 'team', name: 'worker' }] };

let signer: TestSigner;
let assertion: string;
let clock: FakeClock;
let log: ReturnType<typeof recordedLog>;
let metrics: ReturnType<typeof recordedMetrics>;
let isSynced: boolean;
/** Compared secrets after which the cache is stale. */
let staleAfter: number;
let live: OAuthClient | undefined | Error;
let denied: string[];
let checks: CheckAssertion[];
let compared: string[];

beforeAll(async () => {
  signer = await testSigner();
  assertion = await signer.sign({ iss: 'app', sub: 'app' });
});
beforeEach(() => {
  clock = new FakeClock();
  log = recordedLog();
  metrics = recordedMetrics();
  isSynced = true;
  staleAfter = Number.POSITIVE_INFINITY;
  live = undefined;
  denied = [];
  checks = [async ({ client }) => ({ authenticated: { client, method: 'serviceAccount' } })];
  compared = [];
});

/** The answer as a promise, whether it is known at once or not. */
type Authenticate = (...asked: Parameters<AuthenticateClient>) => Promise<AuthenticatedClient>;

const replicaOf = (...clients: OAuthClient[]): Authenticate => {
  const limit = createFailureLimit({ clock });
  const queues = createRequestQueues(metrics, clock);
  const authenticate = createAuthenticateClient({
    clients: cacheOf(...clients),
    freshness: { clients: () => isSynced && compared.length < staleAfter },
    isDenied: (namespace) => denied.includes(namespace),
    readClient: async ({ namespace }) => {
      if (denied.includes(namespace)) throw new Error('denied');
      if (live instanceof Error) throw live;
      return live;
    },
    secrets: {
      verify: async (_client, secrets) => {
        compared.push(...secrets);
        return secrets.includes('right');
      },
      verifyAgainstDummy: (secrets) => {
        compared.push(...secrets);
        return false;
      },
      stop: () => {},
    },
    assertions: checks,
    limit,
    failures: createAuthenticationFailures({ limit, log, metrics }),
    signatures: queues.signatures,
    queue: queues.beyondFailureLimit,
  });
  return async (...asked) => authenticate(...asked);
};

const credentials = (changes: Partial<ClientCredentials> = {}): ClientCredentials => ({
  clientID: 'app',
  clientSecret: '',
  assertionType: '',
  assertion: '',
  ...changes,
});
const call = { address: '192.0.2.1', signal: patient };
const asserted = () => credentials({ assertion, assertionType: JWT_BEARER });
const right = credentials({ clientSecret: 'right' });
const wrong = credentials({ clientSecret: 'wrong' });

const INVALID_CLIENT = {
  code: 'Refused',
  oauthCode: 'invalid_client',
  message: 'client authentication failed',
};
const causes = () => metrics.calls.map(([, cause]) => cause);

describe('a client is let in', () => {
  test('by its secret', async () => {
    expect(await replicaOf(clientWith(SECRET))(right, call)).toMatchObject({ method: 'clientSecret' });
  });

  test('by an assertion', async () => {
    expect(await replicaOf(clientWith(ACCOUNTS))(asserted(), call)).toMatchObject({
      method: 'serviceAccount',
    });
  });

  test('by an assertion that names it where client_id is left out', async () => {
    const found = await replicaOf(clientWith(ACCOUNTS))({ ...asserted(), clientID: '' }, call);
    expect(found.client.metadata.name).toBe('app');
  });

  test('by the second way where the first does not accept it', async () => {
    checks = [async () => undefined, async () => ({ problem: 'no' }), ...checks];
    expect(await replicaOf(clientWith(ACCOUNTS))(asserted(), call)).toMatchObject({
      method: 'serviceAccount',
    });
  });
});

describe('a client is not let in', () => {
  test.each<[string, Authentication, () => ClientCredentials, string]>([
    ['by a wrong secret', SECRET, () => wrong, 'WrongSecret'],
    ['by an empty secret', SECRET, () => credentials(), 'WrongSecret'],
    [
      'by a secret and an assertion together',
      SECRET,
      () => ({ ...asserted(), clientSecret: 'right' }),
      'AssertionUnexpected',
    ],
    ['by another client ID', SECRET, () => ({ ...right, clientID: 'unknown' }), 'UnknownClient'],
    ['without client ID', SECRET, () => ({ ...right, clientID: '' }), 'UnknownClient'],
    ['without any method', {}, () => right, 'NoMethod'],
    ['without any authentication', undefined, () => right, 'NoMethod'],
    ['without any method, by an assertion', {}, asserted, 'NoMethod'],
    [
      'by its secret where it has an assertion method',
      { ...SECRET, ...ACCOUNTS },
      () => right,
      'AssertionMissing',
    ],
    ['by an assertion of no type', ACCOUNTS, () => credentials({ assertion }), 'AssertionInvalid'],
    [
      'by garbage',
      ACCOUNTS,
      () => credentials({ assertion: 'x', assertionType: JWT_BEARER }),
      'AssertionInvalid',
    ],
  ])('%s', async (_name, authentication, make, cause) => {
    const authenticate = replicaOf(clientWith(authentication));
    await expect(authenticate(make(), call)).rejects.toMatchObject(INVALID_CLIENT);
    expect(causes()).toEqual([cause]);
  });

  test.each<[string, CheckAssertion[]]>([
    ['no way that it has configured is meant', [async () => undefined]],
    ['the only one that is meant says no', [async () => undefined, async () => ({ problem: 'no' })]],
  ])('by an assertion of which %s', async (_name, ways) => {
    checks = ways;
    await expect(replicaOf(clientWith(ACCOUNTS))(asserted(), call)).rejects.toMatchObject(INVALID_CLIENT);
  });

  test('by an assertion without client_id that names no client', async () => {
    const jwt = await signer.sign({ iss: 'https://idp.example', sub: 'app' });
    const authenticate = replicaOf(clientWith(ACCOUNTS));
    await expect(authenticate({ ...asserted(), clientID: '', assertion: jwt }, call)).rejects.toMatchObject(
      INVALID_CLIENT,
    );
  });

  test('where it does not hold its client ID, or is being deleted', async () => {
    const client = clientWith(SECRET);
    const loser = { ...client, status: {} };
    const leaving = {
      ...client,
      metadata: { ...client.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' },
    };
    for (const other of [loser, leaving]) {
      await expect(replicaOf(other)(right, call)).rejects.toMatchObject(INVALID_CLIENT);
    }
  });

  test('and an unknown one is worked on as a wrong secret is', async () => {
    const authenticate = replicaOf(clientWith(SECRET), {
      ...clientWith({}),
      metadata: { ...clientWith({}).metadata, name: 'bare', uid: 'b' },
      status: { clientID: 'bare' },
    });
    for (const clientID of ['app', 'unknown', 'bare']) {
      await expect(authenticate({ ...wrong, clientID }, call)).rejects.toMatchObject(INVALID_CLIENT);
    }
    expect(compared).toEqual(['wrong', 'wrong', 'wrong']);
  });
});

describe('credentials that may mean several things', () => {
  const meaning = (...all: readonly (readonly [clientID: string, clientSecret: string])[]) => {
    const [first, ...alternatives] = all.map(([clientID, clientSecret]) => ({ clientID, clientSecret }));
    return credentials({ ...first, alternatives });
  };
  const other: OAuthClient = {
    ...clientWith(SECRET),
    metadata: { ...clientWith(SECRET).metadata, name: 'a+b', uid: 'uid-of-other' },
    status: { clientID: 'a+b' },
  };

  test.each([
    ['the second secret', meaning(['app', 'wrong'], ['app', 'right']), 'app'],
    ['the second client ID', meaning(['a b', 'right'], ['a+b', 'right']), 'a+b'],
    ['the second of both', meaning(['a b', 'x'], ['a b', 'right'], ['a+b', 'x'], ['a+b', 'right']), 'a+b'],
    ['the first client ID and the second secret', meaning(['app', 'x'], ['app', 'right'], ['a', 'x']), 'app'],
  ])('authenticate by %s, and nothing has failed', async (_name, sent, name) => {
    const found = await replicaOf(clientWith(SECRET), other)(sent, call);
    expect(found.client.metadata.name).toBe(name);
    expect(metrics.calls).toEqual([]);
    expect(log.lines).toEqual([]);
  });

  test('never reach the limit of failures while they are right', async () => {
    const authenticate = replicaOf(other);
    for (let at = 0; at < 20; at++) await authenticate(meaning(['a b', 'x'], ['a+b', 'right']), call);
    const failure = await authenticate({ ...wrong, clientID: 'a b' }, call).catch((error: unknown) => error);
    expect(failure).toMatchObject(INVALID_CLIENT);
  });

  test('that are all wrong fail once for each client ID, and count for both', async () => {
    const authenticate = replicaOf(other);
    const sent = meaning(['a b', 'x'], ['a b', 'y'], ['a+b', 'x'], ['a+b', 'y']);
    await expect(authenticate(sent, call)).rejects.toMatchObject(INVALID_CLIENT);
    expect(causes()).toEqual(['UnknownClient', 'WrongSecret']);
    expect(compared).toEqual(['x', 'y', 'x', 'y']);
    for (let at = 0; at < 9; at++)
      await expect(authenticate(sent, call)).rejects.toMatchObject(INVALID_CLIENT);
    for (const clientID of ['a b', 'a+b']) {
      await expect(authenticate({ ...wrong, clientID }, call)).rejects.toThrow('too many failed');
    }
  });

  test('are not tried on while the API server is unreachable', async () => {
    isSynced = false;
    live = new Error('away');
    const sent = meaning(['a+b', 'x'], ['other', 'right']);
    await expect(replicaOf(other)(sent, call)).rejects.toMatchObject({ code: 'Unavailable' });
    expect(causes()).toEqual([]);
  });

  test('that are wrong count although the next ones can not be checked', async () => {
    staleAfter = 1;
    live = new Error('away');
    const sent = meaning(['a+b', 'wrong'], ['unknown', 'x']);
    await expect(replicaOf(other)(sent, call)).rejects.toMatchObject({ code: 'Unavailable' });
    expect(causes()).toEqual(['WrongSecret']);
  });

  test('name the client of an assertion', async () => {
    const client = { ...other, spec: { ...other.spec, authentication: ACCOUNTS } } as OAuthClient;
    const sent = { ...meaning(['a b', ''], ['a+b', '']), assertion, assertionType: JWT_BEARER };
    expect(await replicaOf(client)(sent, call)).toMatchObject({ client: { metadata: { name: 'a+b' } } });
    expect(causes()).toEqual([]);
  });
});

test.each(['\n', '\r\n'])(
  'what was read from a file that ends with %j is what it is without',
  async (end) => {
    const clientID = `app${end}`;
    expect(await replicaOf(clientWith(SECRET))({ ...right, clientID }, call)).toMatchObject({
      method: 'clientSecret',
    });
    const sent = { ...asserted(), clientID, assertion: `${assertion}${end}` };
    expect(await replicaOf(clientWith(ACCOUNTS))(sent, call)).toMatchObject({ method: 'serviceAccount' });
  },
);

describe('of two that hold one client ID', () => {
  test('the older is meant', async () => {
    const younger = clientWith(SECRET);
    const older = {
      ...younger,
      metadata: { ...younger.metadata, name: 'zz', uid: 'o', creationTimestamp: '2020-01-01T00:00:00Z' },
    };
    const both = [younger, { ...older, spec: { ...older.spec, clientID: 'app' } }];
    const found = await replicaOf(...both)(right, call);
    expect(found.client.metadata.name).toBe('zz');
  });
});

describe('while the cache is stale', () => {
  beforeEach(() => {
    isSynced = false;
  });

  test('the client is what the API server says now', async () => {
    live = clientWith(SECRET, { suspended: true }, '2');
    const found = await replicaOf(clientWith(SECRET))(right, call);
    expect(found.client.spec.suspended).toBe(true);
  });

  test('one that is gone, or made anew, is unknown', async () => {
    const authenticate = replicaOf(clientWith(SECRET));
    await expect(authenticate(right, call)).rejects.toMatchObject(INVALID_CLIENT);
    const anew = clientWith(SECRET);
    live = { ...anew, metadata: { ...anew.metadata, uid: 'another' } };
    await expect(authenticate(right, call)).rejects.toMatchObject(INVALID_CLIENT);
  });

  test('no client can authenticate while the API server is unreachable', async () => {
    live = new Error('away');
    await expect(replicaOf(clientWith(SECRET))(right, call)).rejects.toMatchObject({ code: 'Unavailable' });
    expect(causes()).toEqual([]);
  });

  test.each<[string, string[], object]>([
    ['one that can be read', ['denied'], INVALID_CLIENT],
    ['one that can not, if there is no other', ['denied', 'other'], { code: 'Unavailable' }],
  ])(
    'while a namespace is denied, an unknown client gets the answer of %s',
    async (_name, names, expected) => {
      denied = names;
      const inNamespace = (namespace: string): OAuthClient => {
        const client = clientWith(SECRET);
        return { ...client, metadata: { ...client.metadata, namespace, uid: namespace } };
      };
      const authenticate = replicaOf(inNamespace('denied'), inNamespace('other'));
      const failing = authenticate({ ...wrong, clientID: 'unknown' }, call);
      await expect(failing).rejects.toMatchObject(expected);
    },
  );

  test.each<[string, Authentication, () => ClientCredentials]>([
    ['a secret', SECRET, () => wrong],
    ['an assertion', ACCOUNTS, asserted],
  ])('an unknown client gets the answer of one that exists, by %s', async (_name, authentication, make) => {
    checks = [async () => ({ problem: 'no' })];
    const authenticate = replicaOf(clientWith(authentication));
    const answerOf = (clientID: string) =>
      authenticate({ ...make(), clientID }, call).catch(({ code, message }: IssuerFailure) => ({
        code,
        message,
      }));
    for (const answer of [clientWith(authentication), new Error('away')]) {
      live = answer;
      const known = await answerOf('app');
      expect(known).toMatchObject({ code: answer instanceof Error ? 'Unavailable' : 'Refused' });
      expect(await answerOf('unknown')).toEqual(known);
    }
  });
});

describe('beyond the limit of failures', () => {
  const fail = async (authenticate: Authenticate, times: number): Promise<unknown[]> => {
    const messages: unknown[] = [];
    for (let at = 0; at < times; at++) {
      const failure = await authenticate(wrong, call).catch((error: IssuerFailure) => error);
      expect(failure).toMatchObject({ code: 'Refused', oauthCode: 'invalid_client' });
      messages.push('message' in failure && failure.message);
    }
    return messages;
  };

  test('wrong secrets are rejected as such, and the right one is accepted', async () => {
    const authenticate = replicaOf(clientWith(SECRET));
    const [failed, tooMany] = [
      'client authentication failed',
      'too many failed client authentications, try again later',
    ];
    expect(await fail(authenticate, 12)).toEqual([...Array(10).fill(failed), tooMany, tooMany]);
    expect(await authenticate(right, call)).toMatchObject({ method: 'clientSecret' });
    expect(await authenticate(wrong, { ...call, address: '192.0.2.2' }).catch(({ code }) => code)).toBe(
      'Refused',
    );
  });

  test('assertions are checked four at a time, and a right one still gets its turn', async () => {
    const authenticate = replicaOf(clientWith(ACCOUNTS));
    await fail(authenticate, 11);
    const open: (() => void)[] = [];
    checks[0] = ({ client }) =>
      new Promise((resolve) => {
        open.push(() => resolve({ authenticated: { client, method: 'serviceAccount' } }));
      });
    const all = [1, 2, 3, 4, 5].map(() => authenticate(asserted(), call));
    await settle();
    expect(open).toHaveLength(4);
    const elsewhere = authenticate(asserted(), { ...call, address: '192.0.2.2' });
    await settle();
    expect(open).toHaveLength(5);
    for (const go of open) go();
    await settle();
    open.at(-1)?.();
    expect(await Promise.all([...all, elsewhere])).toHaveLength(6);
  });

  describe('of one address, such as that of a proxy', () => {
    const app = clientWith(ACCOUNTS);
    const other: OAuthClient = {
      ...clientWith(ACCOUNTS, { clientID: 'other' }),
      metadata: { ...app.metadata, name: 'other', uid: 'uid-of-other' },
    };
    let authenticate: Authenticate;
    let checked: string[];
    let release: () => void;

    beforeEach(async () => {
      authenticate = replicaOf(app, other);
      for (let at = 0; at < 110; at++) {
        await authenticate({ ...wrong, clientID: `made-up-${at}` }, call).catch(() => undefined);
      }
      checked = [];
      const { promise, resolve } = Promise.withResolvers<void>();
      release = resolve;
      checks[0] = async ({ client, address }) => {
        checked.push(`${client.metadata.name} ${address}`);
        await promise;
        return { authenticated: { client, method: 'serviceAccount' } };
      };
    });

    /** Assertions that name the client `app`; all but 4 + 128 are rejected. */
    const flood = async (): Promise<Promise<string>[]> => {
      const calls = Array.from({ length: 500 }, () =>
        authenticate(asserted(), call).then(
          () => 'accepted',
          ({ code }: { code: string }) => code,
        ),
      );
      await settle();
      expect(checked).toEqual(Array(4).fill(`app ${call.address}`));
      return calls;
    };

    test('a flood that names one client leaves another one behind the address its turn', async () => {
      const calls = await flood();
      const honest = authenticate({ ...asserted(), clientID: 'other' }, call);
      await settle();
      release();
      expect(await honest).toMatchObject({ client: { metadata: { name: 'other' } } });
      await Promise.all(calls);
      expect(checked.indexOf(`other ${call.address}`)).toBeLessThan(4 + 2);
    });

    test('a flood that names one client is nothing to the same client at another address', async () => {
      const calls = await flood();
      const honest = authenticate(asserted(), { ...call, address: '192.0.2.2' });
      await settle();
      expect(checked.at(-1)).toBe('app 192.0.2.2');
      release();
      expect(await honest).toMatchObject({ client: { metadata: { name: 'app' } } });
      await Promise.all(calls);
    });

    test('what waits is bounded, and what is over is rejected', async () => {
      const calls = await flood();
      release();
      const outcomes = await Promise.all(calls);
      expect(outcomes.filter((outcome) => outcome === 'accepted')).toHaveLength(4 + 128);
      expect(outcomes.filter((outcome) => outcome === 'Exhausted')).toHaveLength(500 - 4 - 128);
    });
  });

  test('the log says it at debug alone', async () => {
    await fail(replicaOf(clientWith(SECRET)), 12);
    expect(log.lines.map(({ level }) => level)).toEqual([...Array(10).fill('info'), 'debug', 'debug']);
  });
});

test('the log and the failure hold nothing that was sent but the client ID, in quotes and cut', async () => {
  const authenticate = replicaOf(clientWith(SECRET));
  const sent = credentials({ clientID: `evil\n${'x'.repeat(200)}`, clientSecret: 'hunter2', assertion });
  const failure = await authenticate(sent, call).catch((error: unknown) => error);
  const written = JSON.stringify([log.lines, failure, String(failure)]);
  expect(written).not.toContain('hunter2');
  expect(written).not.toContain(assertion);
  expect(log.lines[0]?.fields.client).toBe(`"evil\\n${'x'.repeat(59)}…"`);
});

test('before the clients are known, no client is called unknown', async () => {
  const queues = createRequestQueues(metrics, clock);
  const authenticate = createAuthenticateClient({
    clients: { synced: false, byIndex: () => [].values(), values: () => [].values() },
    freshness: { clients: () => false },
    readClient: async () => undefined,
    secrets: { verify: async () => false, verifyAgainstDummy: () => false, stop: () => {} },
    assertions: [],
    limit: createFailureLimit({ clock }),
    failures: createAuthenticationFailures({ limit: createFailureLimit({ clock }), log, metrics }),
    signatures: queues.signatures,
    queue: queues.beyondFailureLimit,
  });
  expect(() => authenticate(right, call)).toThrow(expect.objectContaining({ code: 'Unavailable' }));
});
