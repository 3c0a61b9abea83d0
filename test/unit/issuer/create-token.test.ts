import { beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import type { IssuedToken } from '../../../operator/api/issued-token.ts';
import type { OAuthClient } from '../../../operator/api/oauth-client.ts';
import { joseKeyPairs } from '../../../operator/crypto/key-pairs.ts';
import type { TokenRequest } from '../../../operator/domain/client/token-request.ts';
import type { IssuerSettings } from '../../../operator/domain/jwt/claims.ts';
import { uuidV5 } from '../../../operator/domain/token/declared-token.ts';
import { createAuthenticationFailures } from '../../../operator/issuer/authentication/authentication-failures.ts';
import { createFailureLimit } from '../../../operator/issuer/authentication/failure-limit.ts';
import { buildCreateToken } from '../../../operator/issuer/create-token.ts';
import { IssuerFailure, refused } from '../../../operator/issuer/failure.ts';
import type { AdmitToken } from '../../../operator/issuer/limits/client-limits.ts';
import { createAgeCheck, createRecordToken } from '../../../operator/issuer/recording/record-token.ts';
import type { AssertionProblem } from '../../../operator/issuer/recording/used-assertions.ts';
import { createRequestQueues } from '../../../operator/issuer/request-queues.ts';
import type { AuthenticatedClient } from '../../../operator/issuer/use-cases.ts';
import { ApiError, EXCEEDED_QUOTA, type NewObject } from '../../../operator/ports/kube.ts';
import type { Signer } from '../../../operator/ports/signing.ts';
import { FakeClock, settle } from '../../support/fake-clock.ts';
import { recordedLog, recordedMetrics } from '../../support/quiet.ts';
import { tokenRequest } from '../../support/token-request.ts';
import { settings } from '../domain/token/fake-token.ts';
import { CLIENT_UID, clientWith, patient } from './clients.ts';

type Create = (record: NewObject<IssuedToken>, signal?: AbortSignal) => Promise<IssuedToken>;

let signer: Signer;
let clock: FakeClock;
let metrics: ReturnType<typeof recordedMetrics>;
let created: NewObject<IssuedToken>[];
let observed: IssuedToken[];
let create: Create;
let authenticated: Partial<AuthenticatedClient>;
let client: OAuthClient;
let active: Signer | undefined;
let isClockUsable: boolean;
let admit: AdmitToken;
let issuer: IssuerSettings;
let written: PromiseWithResolvers<void>;
let isMemoryExceeded: boolean;
let ids: number;
let steps: string[];
let problems: {
  before?: (id: string) => AssertionProblem | undefined;
  after?: (id: string) => AssertionProblem | undefined | Promise<undefined>;
};

const stored: Create = async (record) =>
  ({ ...record, metadata: { ...record.metadata, uid: 'u', resourceVersion: '1' } }) as IssuedToken;
const failing =
  (status: number, reason: string): Create =>
  async () => {
    throw new ApiError('the API server says no', { status, reason });
  };
const idOf = (count: number): string => `00000000-0000-4000-8000-${String(count).padStart(12, '0')}`;

beforeAll(async () => {
  const keyPairs = joseKeyPairs();
  signer = await keyPairs.signer(await keyPairs.generate('ES256'));
});
beforeEach(() => {
  clock = new FakeClock();
  metrics = recordedMetrics();
  created = [];
  observed = [];
  create = stored;
  authenticated = { method: 'clientSecret' };
  client = clientWith({}, { allowedAudiences: ['a'], allowedScopes: ['read', 'write'] });
  active = signer;
  isClockUsable = true;
  isMemoryExceeded = false;
  written = Promise.withResolvers();
  admit = () => undefined;
  issuer = settings;
  ids = 0;
  steps = [];
  problems = {};
});

const request = (changes: Partial<TokenRequest> = {}): TokenRequest =>
  tokenRequest({ clientID: 'app', clientSecret: 'right', audience: ['a'], ...changes });
const call = { address: '192.0.2.1', signal: patient };

const build = () => {
  const log = recordedLog();
  return buildCreateToken({
    authenticateClient: async ({ clientSecret }) => {
      steps.push('authenticate');
      if (clientSecret !== 'right') throw refused('invalid_client', 'client authentication failed');
      return { client, method: 'clientSecret', ...authenticated };
    },
    failures: createAuthenticationFailures({ limit: createFailureLimit({ clock }), log, metrics }),
    settings: issuer,
    keyring: { active: () => active },
    isMemoryExceeded: () => isMemoryExceeded,
    admit: (limited) => admit(limited),
    recordToken: createRecordToken({
      records: {
        create: (record, options) => {
          created.push(record);
          return create(record, options?.signal);
        },
        delete: async ({ name }, { uid, resourceVersion }) => {
          steps.push(`delete ${name} ${uid} ${resourceVersion}`);
        },
      },
      usedAssertions: {
        findProblem: ({ name }) => problems.before?.(name),
        confirm: async ({ name }) => problems.after?.(name),
      },
      onRecorded: (record) => void observed.push(record),
      addToBatch: () => ({ id: idOf(ids++), recorded: written.promise }),
      newID: () => idOf(ids++),
      checkAge: createAgeCheck({ clock, settings }),
      queue: createRequestQueues(metrics, clock).records,
      defer: setImmediate,
    }),
    isClockUsable: () => isClockUsable,
    clock,
    metrics,
  });
};
const createToken = (changes: Partial<TokenRequest> = {}, signal = patient) =>
  build()(request(changes), { ...call, signal });

describe('a token', () => {
  test('has the device ID of its assertion in the configured claim, and no such claim without one', async () => {
    issuer = { ...settings, deviceIDClaim: 'device' };
    expect(decodeJwt((await createToken()).accessToken)).not.toHaveProperty('device');
    authenticated = { method: 'trustedIssuer', deviceID: 'd-1' };
    expect(decodeJwt((await createToken()).accessToken)).toHaveProperty('device', 'd-1');
    issuer = settings;
    expect(Object.values(decodeJwt((await createToken()).accessToken))).not.toContain('d-1');
  });

  test('is recorded by one create, and says what its record says', async () => {
    const token = await createToken({
      scope: ['read'],
      tokenName: 'nightly',
      expiration: clock.now() / 1000 + 60,
    });
    const claims = decodeJwt(token.accessToken);
    expect(created).toHaveLength(1);
    expect(created[0]).toMatchObject({
      kind: 'IssuedToken',
      metadata: { name: token.id, namespace: 'team' },
      spec: {
        clientRef: { name: 'app' },
        clientID: 'app',
        clientUID: CLIENT_UID,
        tokenName: 'nightly',
        audience: ['a'],
        scope: ['read'],
        owner: 'alice',
        subject: 'alice',
        issuedAt: '2026-01-01T00:00:00Z',
        expiration: '2026-01-01T00:01:00Z',
        keyID: signer.kid,
      },
    });
    expect(claims).toMatchObject({
      iss: settings.url,
      jti: token.id,
      sub: 'alice',
      aud: ['a'],
      client_id: 'app',
      scope: 'read',
      name: 'nightly',
      iat: clock.now() / 1000,
      exp: clock.now() / 1000 + 60,
    });
    expect(decodeProtectedHeader(token.accessToken)).toMatchObject({ kid: signer.kid, typ: 'at+jwt' });
    expect(token).toMatchObject({ clientID: 'app', expiresInSeconds: 60, scope: ['read'] });
    expect(observed).toMatchObject([{ metadata: { name: token.id, uid: 'u' } }]);
    expect(metrics.calls).toEqual([['tokenIssuedOnDemand', 'clientSecret']]);
  });

  test('has owner, subject and claims of the assertion that it was asked for with', async () => {
    const originalTokenClaims = { email: 'bob@example.com' };
    authenticated = { method: 'trustedIssuer', owner: 'idp:o', subject: 'idp:bob', originalTokenClaims };
    const token = await createToken();
    expect(created[0]?.spec).toMatchObject({ owner: 'idp:o', subject: 'idp:bob', originalTokenClaims });
    expect(decodeJwt(token.accessToken)).toMatchObject({ originalTokenClaims });
  });

  test('of a ServiceAccount has its user name as subject, and the client’s owner', async () => {
    authenticated = { method: 'serviceAccount', subject: 'system:serviceaccount:team:worker' };
    await createToken();
    expect(created[0]?.spec).toMatchObject({ owner: 'alice', subject: 'system:serviceaccount:team:worker' });
  });

  test('of an unbounded client never expires, and says 0', async () => {
    client = clientWith({}, { allowedAudiences: ['a'], accessTokenLifetime: '0s' });
    const token = await createToken();
    expect(token.expiresInSeconds).toBe(0);
    expect(decodeJwt(token.accessToken)).not.toHaveProperty('exp');
    expect(created[0]?.spec).not.toHaveProperty('expiration');
  });

  test('says what is left when it leaves, and at least 1', async () => {
    create = async (record) => {
      clock.freeze(1500);
      return stored(record);
    };
    const expiration = clock.now() / 1000 + 1;
    expect((await createToken({ expiration })).expiresInSeconds).toBe(1);
    expect((await createToken()).expiresInSeconds).toBe(3598);
  });

  test('carries the client’s extra claims, and none that is the issuer’s', async () => {
    client = clientWith({}, { allowedAudiences: ['a'], insertTokenClaims: { tier: 'gold' } });
    expect(decodeJwt((await createToken()).accessToken)).toMatchObject({ tier: 'gold' });
  });

  test('does not leave before its record is acknowledged', async () => {
    let acknowledge = (): void => {};
    create = (record) =>
      new Promise((resolve) => {
        acknowledge = () => resolve(stored(record));
      });
    let left = false;
    const creating = createToken().then(() => {
      left = true;
    });
    await settle();
    expect([left, created.length]).toEqual([false, 1]);
    acknowledge();
    await creating;
    expect(left).toBe(true);
  });
});

describe('nothing is recorded', () => {
  test.each<[string, () => Promise<unknown>, object]>([
    [
      'for another grant, and the client is not looked up',
      () => createToken({ grantType: 'x', clientSecret: '' }),
      { oauthCode: 'unsupported_grant_type' },
    ],
    ['for what is too long', () => createToken({ tokenName: 'x'.repeat(254) }), { code: 'Malformed' }],
    [
      'for a client that does not authenticate',
      () => createToken({ clientSecret: 'wrong', scope: ['admin'] }),
      { oauthCode: 'invalid_client' },
    ],
    [
      'for an audience that is not allowed',
      () => createToken({ audience: ['b'] }),
      { oauthCode: 'invalid_target' },
    ],
  ])('%s', async (_name, run, failure) => {
    await expect(run()).rejects.toMatchObject(failure);
    expect(created).toEqual([]);
  });

  test('without a key to sign with', async () => {
    active = undefined;
    await expect(createToken()).rejects.toMatchObject({ code: 'Unavailable' });
    expect(created).toEqual([]);
  });

  test('by a clock that is too far off, which rejects no client either', async () => {
    isClockUsable = false;
    await expect(createToken()).rejects.toMatchObject({ code: 'Unavailable' });
    expect(steps).toEqual([]);
  });
});

test('beyond the memory watermark nothing is looked up, signed or recorded', async () => {
  isMemoryExceeded = true;
  await expect(createToken()).rejects.toMatchObject({
    code: 'Unavailable',
    message: 'this replica can not issue tokens now, try again later',
    retryAfterSeconds: 5,
  });
  expect([created, steps]).toEqual([[], []]);
  expect(metrics.calls).toEqual([['tokenRequestRejected', 'MemoryWatermark']]);
  isMemoryExceeded = false;
  await createToken();
});

describe('the limits of the client', () => {
  const limited = () => {
    throw new IssuerFailure('Limited', 'enough');
  };
  const admission = () => ({
    end: () => void steps.push('end'),
    giveBack: () => void steps.push('giveBack'),
  });

  test('reject before anything is signed or recorded', async () => {
    admit = limited;
    active = {
      ...signer,
      sign: async () => {
        steps.push('sign');
        return '';
      },
    };
    await expect(createToken()).rejects.toMatchObject({ code: 'Limited' });
    expect([created, steps]).toEqual([[], ['authenticate']]);
  });

  test.each<[string, Partial<TokenRequest>]>([
    ['does not authenticate', { clientSecret: 'wrong' }],
    ['asks for what it may not have', { audience: ['b'] }],
  ])('are not asked about a client that %s', async (_name, changes) => {
    admit = () => void steps.push('admit') as undefined;
    await expect(createToken(changes)).rejects.toMatchObject({ code: 'Refused' });
    expect(steps).toEqual(['authenticate']);
  });

  test.each<[string, () => void]>([
    ['is done', () => written.resolve()],
    ['fails', () => written.reject(new Error('no'))],
  ])('are not notified that a caller left before the write of its batch %s', async (_name, settleWrite) => {
    client = clientWith({}, { allowedAudiences: ['a'], recording: 'Batched' });
    admit = admission;
    const gone = new AbortController();
    const left = createToken({}, gone.signal);
    left.catch(() => undefined);
    await settle();
    gone.abort();
    await expect(left).rejects.toMatchObject({ code: 'Unavailable' });
    expect(steps).toEqual(['authenticate']);
    settleWrite();
    await settle();
    expect(steps).toEqual(['authenticate', 'end']);
  });

  test('do not count a recorded token as pending while its assertion is confirmed', async () => {
    authenticated = { method: 'privateKeyJWT', assertion: { id: 'one', earliestUse: 0 } };
    admit = admission;
    const confirmed = Promise.withResolvers<undefined>();
    problems.after = () => confirmed.promise;
    const creating = createToken();
    await settle();
    expect([observed.length, steps]).toEqual([1, ['authenticate', 'end']]);
    confirmed.resolve(undefined);
    await creating;
    expect(steps).toEqual(['authenticate', 'end']);
  });

  test.each<[string, () => void, string[]]>([
    ['is recorded', () => undefined, ['end']],
    [
      'can not be recorded',
      () => {
        create = failing(0, 'Unreachable');
      },
      ['end'],
    ],
    [
      'is asked for with an assertion that was used',
      () => {
        authenticated = { method: 'privateKeyJWT', assertion: { id: 'one', earliestUse: 0 } };
        create = failing(409, 'AlreadyExists');
      },
      ['giveBack', 'end'],
    ],
  ])('are notified of a token that %s', async (_name, arrange, expected) => {
    arrange();
    admit = admission;
    await createToken().catch(() => undefined);
    expect(steps).toEqual(['authenticate', ...expected]);
  });
});

describe('a record that is rejected', () => {
  test.each<[string, number, string, string]>([
    ['by a quota', 403, EXCEEDED_QUOTA, 'Exhausted'],
    ['for its size', 413, 'RequestEntityTooLarge', 'Exhausted'],
    ['by a policy', 403, 'Forbidden', 'Unavailable'],
    ['by its schema', 422, 'Invalid', 'Unavailable'],
    ['by an API server that is busy', 429, 'TooManyRequests', 'Unavailable'],
    ['by an API server that fails', 500, 'InternalError', 'Unavailable'],
    ['after a timeout', 0, 'Timeout', 'Unavailable'],
  ])('%s is tried once', async (_name, status, reason, code) => {
    create = failing(status, reason);
    const failure = await createToken().catch((error: unknown) => error);
    expect(failure).toMatchObject({ code, cause: { status, reason } });
    expect((failure as Error).message).not.toContain('says no');
    expect(created).toHaveLength(1);
    expect(metrics.calls).toEqual([]);
  });

  test('for its name is made under another, once', async () => {
    create = (record) =>
      record.metadata.name === idOf(0) ? failing(409, 'AlreadyExists')(record) : stored(record);
    const token = await createToken();
    expect(token.id).toBe(idOf(1));
    expect(decodeJwt(token.accessToken).jti).toBe(idOf(1));
    create = failing(409, 'AlreadyExists');
    await expect(createToken()).rejects.toMatchObject({ code: 'Unavailable' });
    expect(created).toHaveLength(4);
  });
});

describe('a client’s own assertion', () => {
  beforeEach(() => {
    authenticated = { method: 'privateKeyJWT', assertion: { id: 'one', earliestUse: 0 } };
  });

  test('gives the token an id that every replica derives', async () => {
    expect((await createToken()).id).toBe(uuidV5(CLIENT_UID, 'one'));
  });

  test('is rejected when it has been used, as any failed authentication', async () => {
    create = failing(409, 'AlreadyExists');
    await expect(createToken()).rejects.toMatchObject({
      oauthCode: 'invalid_client',
      message: 'client authentication failed',
    });
    expect(created).toHaveLength(1);
    expect(metrics.calls).toEqual([['authenticationFailed', 'AssertionReplayed']]);
  });

  const derivedID = uuidV5(CLIENT_UID, 'one');
  const REPLAYED = { oauthCode: 'invalid_client', message: 'client authentication failed' };
  const TOO_OLD = {
    oauthCode: 'invalid_client',
    message: 'the assertion was signed before this replica could know whether it was used: sign a new one',
  };

  test.each<[string, AssertionProblem, object, string]>([
    ['was used', 'AssertionUsed', REPLAYED, 'AssertionReplayed'],
    ['may have been used', 'AssertionTooOld', TOO_OLD, 'AssertionTooOld'],
  ])(
    'that is known beforehand and %s is rejected without a record',
    async (_name, problem, failure, cause) => {
      problems.before = (id) => (id === derivedID ? problem : undefined);
      await expect(createToken()).rejects.toMatchObject(failure);
      expect(created).toEqual([]);
      expect(metrics.calls).toEqual([['authenticationFailed', cause]]);
    },
  );

  test.each<[string, AssertionProblem, object]>([
    ['was used', 'AssertionUsed', REPLAYED],
    ['may have been used', 'AssertionTooOld', TOO_OLD],
  ])('that turns out to have been one that %s leaves no record', async (_name, problem, failure) => {
    problems.after = () => problem;
    await expect(createToken()).rejects.toMatchObject(failure);
    expect(steps.at(-1)).toBe(`delete ${derivedID} u 1`);
  });

  test('leaves no record if it can not be known whether it was used', async () => {
    problems.after = () => {
      throw new IssuerFailure('Unavailable', 'not known now');
    };
    await expect(createToken()).rejects.toMatchObject({ code: 'Unavailable', message: 'not known now' });
    expect(steps.at(-1)).toBe(`delete ${derivedID} u 1`);
  });

  test('that is too old does not count towards the limit of failures', async () => {
    problems.before = () => 'AssertionTooOld';
    const run = build();
    for (let attempt = 0; attempt < 100; attempt++) {
      await expect(run(request(), call)).rejects.toMatchObject(TOO_OLD);
    }
  });

  test('is not called used where the API server is away', async () => {
    create = failing(0, 'Unreachable');
    await expect(createToken()).rejects.toMatchObject({ code: 'Unavailable' });
  });
});

describe('under load', () => {
  test('32 creates of a client run and 4096 wait; further ones are rejected', async () => {
    const open: (() => void)[] = [];
    create = (record) =>
      new Promise((resolve) => {
        open.push(() => resolve(stored(record)));
      });
    const run = build();
    const gone = new AbortController();
    const all = Array.from({ length: 32 + 4096 }, () =>
      run(request(), { ...call, signal: gone.signal }).catch(({ code }: { code: string }) => code),
    );
    await settle();
    expect(open).toHaveLength(32);
    await expect(run(request(), call)).rejects.toMatchObject({ code: 'Exhausted' });
    gone.abort();
    for (const go of open) go();
    const codes = await Promise.all(all);
    expect(codes.filter((code) => code === 'Unavailable')).toHaveLength(4096);
  });

  test('what has its turn more than a minute after its request is not recorded', async () => {
    const held = Promise.withResolvers<void>();
    create = async (record) => {
      await held.promise;
      return stored(record);
    };
    const run = build();
    const outcomes = Array.from({ length: 33 }, () =>
      run(request(), call).then(
        () => 'recorded',
        ({ code }: { code: string }) => code,
      ),
    );
    await settle();
    clock.freeze(61_000);
    held.resolve();
    expect((await Promise.all(outcomes)).slice(-2)).toEqual(['recorded', 'Unavailable']);
    expect(created).toHaveLength(32);
  });

  test('the create is called off with the call', async () => {
    const gone = new AbortController();
    let signal: AbortSignal | undefined;
    create = (record, given) => {
      signal = given;
      return stored(record);
    };
    await createToken({}, gone.signal);
    gone.abort();
    expect(signal?.aborted).toBe(true);
  });
});
