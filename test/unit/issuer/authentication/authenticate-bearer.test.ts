import { beforeEach, describe, expect, test } from '@jest/globals';
import { cachedIssuedTokenOf } from '../../../../operator/domain/record/issued-token.ts';
import {
  type AuthenticateBearerOptions,
  createAuthenticateBearer,
  createAuthenticateSelf,
} from '../../../../operator/issuer/authentication/authenticate-bearer.ts';
import type { JwtValidation } from '../../../../operator/issuer/registry/validate-jwt.ts';
import { createRequestQueues } from '../../../../operator/issuer/request-queues.ts';
import { FakeClock, settle } from '../../../support/fake-clock.ts';
import { recordedMetrics } from '../../../support/quiet.ts';
import { settings } from '../../domain/token/fake-token.ts';
import { patient } from '../clients.ts';
import { issuedToken } from '../registry/fake-registry.ts';

const ID = '00000000-0000-4000-8000-000000000001';
const OTHER = 'https://other.example';
const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const jwtOf = (iss: string): string => `${encode({ alg: 'ES256' })}.${encode({ iss })}.c2ln`;
const OURS = jwtOf(settings.url);

const validWith = (claims: object): JwtValidation => ({
  kind: 'valid',
  claims: { jti: ID, sub: 'alice', ...claims },
  record: cachedIssuedTokenOf(issuedToken(ID)),
});

let validation: JwtValidation;
let external: Record<string, unknown> | undefined;
let asked: string[];
let options: Partial<AuthenticateBearerOptions>;

beforeEach(() => {
  validation = validWith({ scope: 'read manage', aud: ['a', settings.url] });
  external = { sub: 'dave' };
  asked = [];
  options = {};
});

const authenticate = (authorization: string | undefined) =>
  createAuthenticateBearer(
    createAuthenticateSelf({
      validateJwt: async (jwt) => {
        asked.push(jwt);
        return validation;
      },
      externalIssuers: {
        verify: async (_jwt, { authority, audience }) => {
          asked.push(`${authority} ${audience}`);
          return audience === 'wrong' || external === undefined ? undefined : { claims: external };
        },
      },
      queue: createRequestQueues(recordedMetrics(), new FakeClock()).signatures,
      settings,
      policy: { access: 'Owner', scope: '', audience: '' },
      endpoints: [],
      ...options,
    }),
  )(authorization, { address: '192.0.2.1', signal: patient });
const codeOf = (authorization: string | undefined): Promise<string> =>
  authenticate(authorization).then(
    () => 'accepted',
    ({ code }: { code: string }) => code,
  );

describe('an Authorization header', () => {
  test.each([`Bearer ${OURS}`, `bearer ${OURS}`, `BEARER   ${OURS}`])(
    'like this one is read',
    async (header) => {
      expect(await authenticate(header)).toEqual({ owner: 'alice', onlyID: undefined, client: 'team/app' });
      expect(asked).toEqual([OURS]);
    },
  );

  test.each([
    ['none', undefined],
    ['an empty one', ''],
    ['the scheme alone', 'Bearer'],
    ['the scheme and a space', 'Bearer '],
    ['another scheme', `Basic ${OURS}`],
    ['no scheme', OURS],
    ['two tokens', `Bearer ${OURS} ${OURS}`],
    ['two in a list', `Bearer ${OURS}, Bearer ${OURS}`],
    ['a line break', `Bearer ${OURS}\n`],
    ['one that is endless', `Bearer ${'x'.repeat(300_000)}`],
  ])('of %s is rejected before anything is validated', async (_name, header) => {
    expect(await codeOf(header)).toBe('BearerInvalid');
    expect(asked).toEqual([]);
  });
});

const bearerErrorOf = (authorization: string | undefined): Promise<unknown> =>
  authenticate(authorization).then(
    () => 'accepted',
    ({ bearerError }: { bearerError: unknown }) => bearerError,
  );

describe('a bearer that is rejected', () => {
  test.each([
    ['is no header', undefined, undefined],
    ['is an empty header', '', undefined],
    ['is of another scheme', `Basic ${OURS}`, undefined],
    ['has no scheme', OURS, undefined],
    ['begins like one', `Bearers ${OURS}`, undefined],
    ['is the scheme alone', 'Bearer', 'invalid_token'],
    ['is malformed', 'bearer a b', 'invalid_token'],
    ['is too long', `Bearer ${'x'.repeat(300_000)}`, 'invalid_token'],
  ])('and %s has the error of RFC 6750 §3.1: %#', async (_name, header, wanted) => {
    expect(await bearerErrorOf(header)).toBe(wanted);
  });

  test.each(['NotOurs', 'Expired', 'Blacklisted', 'Unknown', 'ClientSuspended'] as const)(
    'because it is %s is invalid',
    async (fault) => {
      validation = { kind: 'invalid', fault };
      expect(await bearerErrorOf(`Bearer ${OURS}`)).toBe('invalid_token');
    },
  );

  test.each([
    ['scope', { scope: 'admin', audience: '' }, 'insufficient_scope'],
    ['audience', { scope: '', audience: 'c' }, 'invalid_token'],
    ['audience and scope', { scope: 'admin', audience: 'c' }, 'invalid_token'],
  ])('because the %s is missing', async (_name, policy, wanted) => {
    options = { policy: { access: 'Owner', ...policy } };
    expect(await bearerErrorOf(`Bearer ${OURS}`)).toBe(wanted);
  });

  test('by a trusted issuer is invalid', async () => {
    external = undefined;
    options = { endpoints: [{ authority: OTHER, audience: 'wrong', ownerPrefix: '' }] };
    expect(await bearerErrorOf(`Bearer ${jwtOf(OTHER)}`)).toBe('invalid_token');
  });
});

describe('a token of ours', () => {
  test('that is invalid is rejected, and the caller does not learn why', async () => {
    validation = { kind: 'invalid', fault: 'Blacklisted' };
    const error = await authenticate(`Bearer ${OURS}`).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: 'BearerInvalid', message: 'the bearer is missing or not good' });
    expect(error).toMatchObject({ detail: 'refused: Blacklisted' });
  });

  test('without the owner claim has no owner', async () => {
    options = { settings: { ...settings, ownerClaim: 'owner' } };
    expect(await codeOf(`Bearer ${OURS}`)).toBe('OwnerMissing');
  });

  test('may be held to itself', async () => {
    options = { policy: { access: 'Self', scope: '', audience: '' } };
    expect(await authenticate(`Bearer ${OURS}`)).toMatchObject({ onlyID: ID });
  });

  test.each([
    ['its scope', { scope: 'manage', audience: '' }, 'accepted'],
    ['a scope that it does not have', { scope: 'man', audience: '' }, 'BearerInvalid'],
    ['its audience', { scope: '', audience: 'a' }, 'accepted'],
    ['an audience that it does not have', { scope: '', audience: 'c' }, 'BearerInvalid'],
  ])('can be asked for %s', async (_name, policy, wanted) => {
    options = { policy: { access: 'Owner', ...policy } };
    expect(await codeOf(`Bearer ${OURS}`)).toBe(wanted);
  });
});

describe('a token of ours may list and revoke', () => {
  const OWNERS = undefined;
  test.each<[string, unknown, string, string | undefined]>([
    ["all of its owner's tokens if it has no audience", undefined, '', OWNERS],
    ["all of its owner's tokens if the issuer is its audience", [settings.url], '', OWNERS],
    ["all of its owner's tokens if the issuer is among its audiences", ['api', settings.url], '', OWNERS],
    ["all of its owner's tokens if it has the configured audience", ['api', 'manage'], 'manage', OWNERS],
    ['itself alone if it is for an API', ['api'], '', ID],
    ['itself alone if it is for several APIs', ['api', 'other'], '', ID],
    ['itself alone if its audience only begins like the issuer', [`${settings.url}/`], '', ID],
    ['itself alone if its audience is the path of the issuer', [new URL(settings.url).pathname], '', ID],
    ['itself alone if its audience is written in other letters', [settings.url.toUpperCase()], '', ID],
    ['itself alone if aud is one string for an API', 'api', '', ID],
    ['itself alone if aud is of no form that names an audience', { [settings.url]: true }, '', ID],
    ['itself alone if aud is null', null, '', ID],
  ])('%s', async (_name, aud, audience, onlyID) => {
    validation = validWith({ aud });
    options = { policy: { access: 'Owner', scope: '', audience } };
    expect(await authenticate(`Bearer ${OURS}`)).toMatchObject({ owner: 'alice', onlyID });
  });

  test.each([[undefined], [[settings.url]], [['api', settings.url]]])(
    'itself alone where access is Self, with the audience %j',
    async (aud) => {
      validation = validWith({ aud });
      options = { policy: { access: 'Self', scope: '', audience: '' } };
      expect(await authenticate(`Bearer ${OURS}`)).toMatchObject({ onlyID: ID });
    },
  );
});

describe('a token of another issuer', () => {
  const endpoint = { authority: OTHER, audience: 'm2m', ownerPrefix: 'other:' };

  test('is validated for its endpoint, and its owner gets the prefix', async () => {
    options = { endpoints: [endpoint] };
    expect(await authenticate(`Bearer ${jwtOf(OTHER)}`)).toEqual({
      owner: 'other:dave',
      onlyID: undefined,
      client: undefined,
    });
    expect(asked).toEqual([`${OTHER} m2m`]);
  });

  test('is accepted for one of several endpoints of its issuer', async () => {
    options = { endpoints: [{ ...endpoint, audience: 'wrong' }, endpoint] };
    expect(await codeOf(`Bearer ${jwtOf(OTHER)}`)).toBe('accepted');
  });

  test('that is bad there is rejected, and not tried as ours', async () => {
    options = { endpoints: [endpoint] };
    external = undefined;
    expect(await codeOf(`Bearer ${jwtOf(OTHER)}`)).toBe('BearerInvalid');
    expect(asked).toEqual([`${OTHER} m2m`]);
  });

  test.each([[{}], [{ sub: '' }], [{ sub: 7 }], [{ sub: 'a\nb' }]])(
    'that has no owner claim gets an error that says so: %j',
    async (claims) => {
      options = { endpoints: [endpoint] };
      external = claims;
      expect(await codeOf(`Bearer ${jwtOf(OTHER)}`)).toBe('OwnerMissing');
    },
  );

  test('of an untrusted issuer is validated as an issued token, and rejected', async () => {
    validation = { kind: 'invalid', fault: 'NotOurs' };
    options = { endpoints: [endpoint] };
    expect(await codeOf(`Bearer ${jwtOf('https://third.example')}`)).toBe('BearerInvalid');
  });

  test('can not pass for ours by an endpoint that names our issuer', async () => {
    options = { endpoints: [{ ...endpoint, authority: settings.url }] };
    await authenticate(`Bearer ${OURS}`);
    expect(asked).toEqual([OURS]);
  });
});

test('a bearer of an external issuer may differ from its authority by a slash at the end', async () => {
  options = { endpoints: [{ authority: `${OTHER}/`, audience: 'm2m' }] };
  expect(await authenticate(`Bearer ${jwtOf(OTHER)}`)).toMatchObject({ owner: 'dave' });
  expect(asked).toEqual([`${OTHER}/ m2m`]);
});

describe('signatures of made-up bearers of an external issuer', () => {
  const endpoints = [{ authority: OTHER, audience: 'm2m' }];
  let checking: number;
  let release: () => void;
  let results: string[];
  let present: (address: string) => Promise<unknown>;

  beforeEach(() => {
    checking = 0;
    results = [];
    const { promise: released, resolve } = Promise.withResolvers<void>();
    release = resolve;
    const authenticateSelf = createAuthenticateSelf({
      validateJwt: async () => validation,
      externalIssuers: {
        verify: async (_jwt, _issuer, { inTurn }) =>
          inTurn(async () => {
            checking += 1;
            await released;
            return undefined;
          }),
      },
      queue: createRequestQueues(recordedMetrics(), new FakeClock()).signatures,
      settings,
      policy: { access: 'Owner', scope: '', audience: '' },
      endpoints,
    });
    const authenticateBearer = createAuthenticateBearer(authenticateSelf);
    present = (address) =>
      authenticateBearer(`Bearer ${jwtOf(OTHER)}`, { address, signal: patient }).catch(
        ({ code }: { code: string }) => results.push(`${address} ${code}`),
      );
  });

  test('are checked a few at a time, and those of one address that wait are limited', async () => {
    const bearers = Array.from({ length: 16 + 2048 + 10 }, () => present('192.0.2.1'));
    await settle();
    expect(checking).toBe(16);
    expect(results).toEqual(Array.from({ length: 10 }, () => '192.0.2.1 Exhausted'));
    release();
    await Promise.all(bearers);
    expect(results.filter((result) => result === '192.0.2.1 BearerInvalid')).toHaveLength(16 + 2048);
  });

  test('take turns by address', async () => {
    const bearers = Array.from({ length: 1000 }, () => present('192.0.2.1'));
    const other = present('198.51.100.1');
    await settle();
    release();
    await other;
    expect(results.length).toBeLessThan(100);
    await Promise.all(bearers);
    expect(checking).toBe(1001);
  });
});
