import { beforeEach, expect, test } from '@jest/globals';
import type { TokenRecord } from '../../../../operator/domain/record/token-record.ts';
import { tokenId } from '../../../../operator/domain/token/declared-token.ts';
import {
  type BearerPolicy,
  createAuthenticateSelf,
} from '../../../../operator/issuer/authentication/authenticate-bearer.ts';
import type { ValidateJwt } from '../../../../operator/issuer/registry/validate-jwt.ts';
import { createRequestQueues } from '../../../../operator/issuer/request-queues.ts';
import { settings } from '../../domain/token/fake-token.ts';
import { patient } from '../clients.ts';
import {
  claimsOf,
  declaredClaims,
  declaredToken,
  EXPIRES,
  FakeRegistry,
  issuedToken,
  jwtOf,
  TOKEN_UID,
} from '../registry/fake-registry.ts';

const ID = '00000000-0000-4000-8000-000000000001';
let env: FakeRegistry;
let policy: BearerPolicy;

beforeEach(() => {
  env = new FakeRegistry();
  env.cache(issuedToken(ID));
  policy = { access: 'Owner', scope: '', audience: '' };
});

/** {@link FakeRegistry}'s JWTs are JSON, which no header can hold. */
const authenticate = (jwt: string) =>
  createAuthenticateSelf({
    validateJwt: (text) => env.validateJwt(Buffer.from(text, 'base64url').toString()),
    externalIssuers: { verify: async () => undefined },
    queue: createRequestQueues(env.metrics, env.clock).signatures,
    settings,
    policy,
    endpoints: [],
  })(`Bearer ${Buffer.from(jwt).toString('base64url')}`, { address: '192.0.2.1', signal: patient });

const revoke = (): void => env.cache(issuedToken(ID, { revoked: true }, { resourceVersion: '2' }));

test('a valid bearer gets its owner and its record', async () => {
  expect(await authenticate(jwtOf(claimsOf(ID)))).toMatchObject({
    bearer: { owner: 'alice', client: 'team/app' },
    own: { id: ID, state: 'Current' },
  });
});

test('a bearer that is blacklisted and otherwise valid gets its record, and no access', async () => {
  revoke();
  expect(await authenticate(jwtOf(claimsOf(ID)))).toMatchObject({
    bearer: undefined,
    own: { id: ID, blacklistedAt: 0 },
  });
});

test.each<[string, () => unknown, string]>([
  ['by another key', () => undefined, jwtOf(claimsOf(ID), 'key-2')],
  ['of another owner than its record has', () => undefined, jwtOf(claimsOf(ID, { sub: 'bob' }))],
  ['that has expired', () => env.clock.advance(EXPIRES * 1000 - env.clock.now()), jwtOf(claimsOf(ID))],
  [
    'of a client that is gone',
    () => env.clients.forget('team/app', env.clients.get('team/app')?.metadata.uid ?? ''),
    jwtOf(claimsOf(ID)),
  ],
])('a bearer that is blacklisted and %s gets nothing', async (_name, change, jwt) => {
  revoke();
  await change();
  await expect(authenticate(jwt)).rejects.toMatchObject({ code: 'BearerInvalid' });
});

test('a JWT that status does not name yet is described by its claims, revoked or not', async () => {
  env.tokens.putIfNewer(declaredToken());
  const id = tokenId(TOKEN_UID, 2);
  const claims = declaredClaims(id, { exp: EXPIRES + 60, iat: EXPIRES, scope: 'read' });
  const expected = { id, owner: 'alice', expiration: EXPIRES + 60, issuedAt: EXPIRES, scope: ['read'] };
  const valid = await authenticate(jwtOf(claims, 'key-2'));
  expect(valid.bearer).toMatchObject({ owner: 'alice' });
  expect(valid.own).toMatchObject({ ...expected, blacklistedAt: undefined });
  env.tokens.putIfNewer(declaredToken({}, { revoked: true }, { resourceVersion: '2' }));
  const revoked = await authenticate(jwtOf(claims, 'key-2'));
  expect(revoked).toMatchObject({ bearer: undefined, own: { ...expected, blacklistedAt: 0 } });
});

test('a valid bearer has to meet the bearer requirements', async () => {
  policy = { access: 'Owner', scope: 'manage', audience: '' };
  await expect(authenticate(jwtOf(claimsOf(ID)))).rejects.toMatchObject({ code: 'BearerInvalid' });
});

test('only a blacklisting is reported, whatever the validation found', async () => {
  const { record } = (await env.validateJwt(jwtOf(claimsOf(ID)))) as { record: TokenRecord };
  const queue = createRequestQueues(env.metrics, env.clock).signatures;
  const externalIssuers = { verify: async () => undefined };
  const options = { externalIssuers, queue, settings, policy, endpoints: [] };
  const validateJwt: ValidateJwt = async () => ({
    kind: 'invalid',
    fault: 'ClientGone',
    claims: claimsOf(ID),
    record,
  });
  await expect(
    createAuthenticateSelf({ ...options, validateJwt })('Bearer a.b.c', {
      address: '192.0.2.1',
      signal: patient,
    }),
  ).rejects.toMatchObject({ code: 'BearerInvalid', detail: 'refused: ClientGone' });
});
