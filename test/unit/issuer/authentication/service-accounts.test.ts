import { beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { CheckAssertion } from '../../../../operator/issuer/authentication/client-assertions.ts';
import { createServiceAccounts } from '../../../../operator/issuer/authentication/service-accounts.ts';
import { readUnverifiedJwt } from '../../../../operator/issuer/authentication/unverified-jwt.ts';
import { createRequestQueues } from '../../../../operator/issuer/request-queues.ts';
import { ApiError } from '../../../../operator/ports/kube.ts';
import type { TokenReview } from '../../../../operator/ports/token-reviews.ts';
import { type TestSigner, testSigner } from '../../../support/assertions.ts';
import { FakeClock, settle } from '../../../support/fake-clock.ts';
import { recordedMetrics } from '../../../support/quiet.ts';
import { atOnce, clientWith, ISSUER, patient } from '../clients.ts';

const USER = 'system:serviceaccount:team:worker';
const ACCEPTED: TokenReview = { authenticated: true, username: USER, audiences: [ISSUER] };

const client = clientWith({ serviceAccounts: [{ namespace: 'team', name: 'worker' }] });
let signer: TestSigner;
let ownKid: string | undefined;
let clock: FakeClock;
let asked: (readonly string[])[];
let reviewed: string[];
/** While it is there, no review is answered before it resolves. */
let hold: Promise<void> | undefined;
let answer: TokenReview | Error;
let check: CheckAssertion;

beforeAll(async () => {
  signer = await testSigner();
});
beforeEach(() => {
  clock = new FakeClock();
  asked = [];
  reviewed = [];
  hold = undefined;
  ownKid = undefined;
  answer = ACCEPTED;
  check = createServiceAccounts({
    issuerUrl: ISSUER,
    isOwnKid: (kid) => kid === ownKid,
    endpoints: [{ authority: 'https://cluster', audience: 'bearers' }],
    queue: createRequestQueues(recordedMetrics(), clock).reviews,
    clock,
    reviewToken: async (jwt, audiences) => {
      asked.push(audiences);
      reviewed.push(jwt);
      await hold;
      if (answer instanceof Error) throw answer;
      return answer;
    },
  });
});

const token = (changes: object = {}) =>
  signer.sign({ sub: USER, aud: [ISSUER], exp: Math.floor(clock.now() / 1000) + 3600, ...changes });
const run = async (jwt: string, of = client, address = '192.0.2.1') => {
  const parsed = readUnverifiedJwt(jwt);
  if (!parsed) throw new Error('unreadable');
  return check({ client: of, clientID: 'app', jwt: parsed, address, signal: patient, inTurn: atOnce });
};

describe('a ServiceAccount token', () => {
  test('that the API server knows for our audience proves the client', async () => {
    expect(await run(await token())).toEqual({
      authenticated: { client, method: 'serviceAccount', subject: USER },
    });
    expect(asked).toEqual([[ISSUER]]);
  });

  test.each<[string, object]>([
    ['another ServiceAccount', { sub: 'system:serviceaccount:team:other' }],
    ['another audience', { aud: ['https://kubernetes.default.svc'] }],
    ['an expiration that is past', { exp: 1 }],
    ['no expiration', { exp: undefined }],
    ['this issuer as its issuer', { iss: ISSUER }],
    ['this issuer as its issuer, written otherwise', { iss: `${ISSUER}:443/` }],
    ['the claims of a security event', { events: {} }],
    ['an audience of bearers', { iss: 'https://cluster', aud: [ISSUER, 'bearers'] }],
  ])('with %s is rejected before the API server is asked', async (_name, changes) => {
    expect(await run(await token(changes))).toHaveProperty('problem');
    expect(asked).toEqual([]);
  });

  test.each(['at+jwt', 'logout+jwt', 'dpop+jwt', 'x'])(
    'of type %s is rejected before the API server is asked',
    async (typ) => {
      const { iss: _iss, ...claims } = readUnverifiedJwt(await token())?.claims ?? {};
      expect(await run(await signer.sign(claims, { typ }))).toHaveProperty('problem');
      expect(asked).toEqual([]);
    },
  );

  test('with the kid of a key of this issuer is rejected before the API server is asked', async () => {
    ownKid = signer.kid;
    expect(await run(await token())).toHaveProperty('problem');
    expect(asked).toEqual([]);
  });

  test.each<[string, TokenReview]>([
    ['does not know', { authenticated: false, username: '', audiences: [] }],
    ['accepts for other audiences alone', { ...ACCEPTED, audiences: ['https://other'] }],
    ['accepts without audiences', { ...ACCEPTED, audiences: [] }],
    ['accepts for another ServiceAccount', { ...ACCEPTED, username: 'system:serviceaccount:team:other' }],
  ])('that the API server %s is rejected', async (_name, review) => {
    answer = review;
    expect(await run(await token())).toHaveProperty('problem');
  });

  test('can’t be validated while the API server is unreachable', async () => {
    answer = new ApiError('away', { status: 0, reason: 'Unreachable' });
    await expect(run(await token())).rejects.toMatchObject({ code: 'Unavailable' });
  });

  test('is reviewed once for all concurrent callers, and a positive review is cached for 30 s', async () => {
    const jwt = await token();
    await Promise.all([run(jwt), run(jwt), run(jwt)]);
    await clock.advance(29_999);
    answer = { authenticated: false, username: '', audiences: [] };
    expect(await run(jwt)).toHaveProperty('authenticated');
    expect(asked).toHaveLength(1);
    await clock.advance(1);
    expect(await run(jwt)).toHaveProperty('problem');
    expect(asked).toHaveLength(2);
  });

  test('is reviewed at once while another address floods the same client with tokens, which are rejected beyond a limit', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    hold = promise;
    const made = await Promise.all(Array.from({ length: 300 }, (_, at) => token({ jti: String(at) })));
    const flood = made.map((jwt) =>
      run(jwt, client, '198.51.100.1').then(
        () => 'answered',
        ({ code }: { code: string }) => code,
      ),
    );
    await settle();
    const own = await token();
    const honest = run(own, client, '192.0.2.1');
    await settle();
    expect(reviewed.indexOf(own)).toBe(8);
    hold = undefined;
    resolve();
    expect(await honest).toHaveProperty('authenticated');
    const outcomes = await Promise.all(flood);
    expect(outcomes.filter((outcome) => outcome === 'answered')).toHaveLength(8 + 128);
    expect(outcomes.filter((outcome) => outcome === 'Exhausted')).toHaveLength(300 - 8 - 128);
  });

  test('is not believed beyond its own expiration', async () => {
    const jwt = await token({ exp: Math.floor(clock.now() / 1000) + 5 });
    await run(jwt);
    await clock.advance(5000);
    expect(await run(jwt)).toHaveProperty('problem');
  });

  test('a no is not kept', async () => {
    const jwt = await token();
    answer = { authenticated: false, username: '', audiences: [] };
    expect(await run(jwt)).toHaveProperty('problem');
    answer = ACCEPTED;
    expect(await run(jwt)).toHaveProperty('authenticated');
  });

  test('that is believed for one client proves no other that does not list it', async () => {
    const jwt = await token();
    await run(jwt);
    const other = clientWith({ serviceAccounts: [{ namespace: 'team', name: 'other' }] });
    expect(await run(jwt, other)).toHaveProperty('problem');
  });

  test('is of no kind that a client without ServiceAccounts has', async () => {
    expect(await run(await token(), clientWith({}))).toBeUndefined();
  });
});
