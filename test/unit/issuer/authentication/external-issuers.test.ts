import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { calculateJwkThumbprint, type JWK } from 'jose';
import { findJwkProblem, thumbprintOf } from '../../../../operator/crypto/public-jwk.ts';
import {
  createExternalIssuers,
  type ExternalIssuer,
  type ExternalIssuers,
} from '../../../../operator/issuer/authentication/external-issuers.ts';
import { createRemoteKeys } from '../../../../operator/issuer/authentication/remote-keys.ts';
import { createIsOwnKey } from '../../../../operator/issuer/keys/own-keys.ts';
import { jsonFetcher } from '../../../../operator/outbound/fetch-json.ts';
import {
  type OpenIDProvider,
  startOpenIDProvider,
  testSigner,
  unsignedJwt,
} from '../../../support/assertions.ts';
import { FakeClock, settle } from '../../../support/fake-clock.ts';
import { type RecordedLog, recordedLog } from '../../../support/quiet.ts';
import { atOnce, ISSUER, patient } from '../clients.ts';

const MINUTE = 60_000;

let provider: OpenIDProvider;
let clock: FakeClock;
let issuers: ExternalIssuers;
let trusted: ExternalIssuer;
/** Kids of this issuer. */
let ownKids: Set<string>;
let log: RecordedLog;

beforeEach(async () => {
  provider = await startOpenIDProvider();
  clock = new FakeClock(Date.now());
  const fetchJson = jsonFetcher({ caFile: provider.https.caFile, allowedCIDRs: ['127.0.0.0/8'] });
  ownKids = new Set();
  log = recordedLog();
  const isOwnKey = createIsOwnKey({ thumbprintOf, isOwnKid: (kid) => ownKids.has(kid) });
  const keys = createRemoteKeys({ fetchJson, findJwkProblem, isOwnKey, clock, log });
  issuers = createExternalIssuers({ keys, issuerUrl: ISSUER, clock });
  trusted = { authority: provider.authority, audience: 'm2m' };
});
afterEach(async () => {
  await provider[Symbol.asyncDispose]();
});

const verify = (jwt: string, issuer: ExternalIssuer = trusted, signal = patient) =>
  issuers.verify(jwt, issuer, { namespace: '', signal, inTurn: atOnce });
const nowSeconds = () => Math.floor(clock.now() / 1000);
/** A token that does not expire during the test, whatever its clock does. */
const lasting = (changes: object = {}) => provider.issue('m2m', { exp: nowSeconds() + 86_400, ...changes });
/** A JWT of the provider with that payload, apart from `iss`; its signature is not valid. */
const rawJwt = (payload: string): string => {
  const text = payload.replace('{', `{"iss":${JSON.stringify(provider.authority)},`);
  const parts = [JSON.stringify({ alg: 'ES256', kid: provider.signer.kid }), text];
  return `${parts.map((part) => Buffer.from(part).toString('base64url')).join('.')}.x`;
};
const fetched = (path: string): number => provider.https.asked.filter((asked) => asked === path).length;
const publish = (...signers: { publicJWK: object }[]): void =>
  provider.https.serve('/jwks', { keys: signers.map(({ publicJWK }) => publicJWK) });
const goAway = (): void => provider.https.on('/jwks', (response) => response.writeHead(503).end());

describe('a JWT of a trusted issuer', () => {
  test('gives its claims', async () => {
    const claims = { sub: 'dave', iss: provider.authority };
    expect(await verify(await provider.issue('m2m'))).toMatchObject({ claims });
  });

  test.each<[string, () => Promise<string>]>([
    ['one of several audiences', () => provider.issue('m2m', { aud: ['x', 'm2m'] })],
    ['an expiration 29 s ago', () => provider.issue('m2m', { exp: nowSeconds() - 29 })],
    [
      'a clock that is 29 s ahead',
      () => provider.issue('m2m', { iat: nowSeconds() + 29, nbf: nowSeconds() + 29 }),
    ],
    ['no iat', () => provider.issue('m2m', { iat: undefined })],
    [
      'no kid',
      async () =>
        provider.signer.sign(
          { iss: provider.authority, aud: 'm2m', sub: 'a', exp: nowSeconds() + 60 },
          { kid: undefined },
        ),
    ],
  ])('may have %s', async (_name, make) => {
    expect(await verify(await make())).toBeDefined();
  });

  test.each<[string, () => Promise<string> | string]>([
    ['another iss', () => provider.issue('m2m', { iss: 'https://other' })],
    ['iss with two slashes more', () => provider.issue('m2m', { iss: `${provider.authority}//` })],
    ['iss in capitals', () => provider.issue('m2m', { iss: provider.authority.toUpperCase() })],
    ['another audience', () => provider.issue('other')],
    ['no audience', () => provider.issue('m2m', { aud: undefined })],
    ['no sub', () => provider.issue('m2m', { sub: undefined })],
    ['an empty sub', () => provider.issue('m2m', { sub: '' })],
    ['an exp that is a text', () => provider.issue('m2m', { exp: '9999999999' })],
    ['an exp that never comes', () => rawJwt(`{"aud":"m2m","sub":"a","exp":1e400}`)],
    ['an exp that is past', () => provider.issue('m2m', { exp: nowSeconds() - 31 })],
    ['an nbf that is ahead', () => provider.issue('m2m', { nbf: nowSeconds() + 32 })],
    [
      'alg none',
      () => unsignedJwt({ iss: provider.authority, aud: 'm2m', sub: 'a', exp: nowSeconds() + 60 }),
    ],
    ['garbage around it', async () => `x${await provider.issue('m2m')}`],
  ])('may not have %s, and nothing is fetched to see that', async (_name, make) => {
    expect(await verify(await make())).toBeUndefined();
    expect(provider.https.asked).toEqual([]);
  });

  test('may not be signed by another key', async () => {
    const claims = { iss: provider.authority, aud: 'm2m', sub: 'a', exp: nowSeconds() + 60 };
    const otherSigner = await testSigner();
    expect(await verify(await otherSigner.sign(claims))).toBeUndefined();
    expect(await verify(await otherSigner.sign(claims, { kid: provider.signer.kid }))).toBeUndefined();
    expect(await verify(await otherSigner.sign(claims, { kid: undefined }))).toBeUndefined();
    const rsa = await testSigner('RS256');
    expect(await verify(await rsa.sign(claims, { kid: provider.signer.kid }))).toBeUndefined();
  });

  test('is checked in its turn, with every set of keys, and does not take that of others while keys are fetched', async () => {
    const turns: string[][] = [];
    const inTurn = async <T>(check: () => Promise<T>): Promise<T> => {
      turns.push([...provider.https.asked]);
      const checked = await check();
      turns.push([...provider.https.asked]);
      return checked;
    };
    const wait = { namespace: '', signal: patient, inTurn };
    const documents = ['/.well-known/openid-configuration', '/jwks'];
    expect(await issuers.verify(await lasting(), trusted, wait)).toBeDefined();
    expect(turns).toEqual([documents, documents]);
    const other = await testSigner();
    publish(other);
    await clock.advance(MINUTE);
    const claims = { iss: provider.authority, aud: 'm2m', sub: 'a', exp: nowSeconds() + 60 };
    expect(await issuers.verify(await other.sign(claims), trusted, wait)).toBeDefined();
    const twice = [...documents, ...documents];
    expect(turns.slice(2)).toEqual([documents, documents, twice, twice]);
  });

  test('may have any audience where the audience is *', async () => {
    expect(await verify(await provider.issue('other'), { ...trusted, audience: '*' })).toBeDefined();
  });

  test('is not believed where discovery names another issuer', async () => {
    const other = { issuer: `${provider.authority}//`, jwks_uri: `${provider.authority}/jwks` };
    provider.https.serve('/.well-known/openid-configuration', other);
    await expect(verify(await lasting())).rejects.toMatchObject({ code: 'Unavailable' });
  });

  test('can’t be validated where no key of the set can verify', async () => {
    provider.https.serve('/jwks', { keys: [{ kty: 'oct', k: 'AAAA' }] });
    await expect(verify(await lasting())).rejects.toMatchObject({ code: 'Unavailable' });
  });
});

describe('a slash at the end of the issuer', () => {
  const lacksIss = { lacks: expect.stringContaining('differs by the slash') };
  const valid = { claims: expect.anything() };
  test.each<[authority: string, discovered: string, iss: string, expected: object]>([
    ['', '/', '/', valid],
    ['', '/', '', valid],
    ['/', '', '', valid],
    ['/', '', '/', valid],
    ['/', '/', '/', valid],
    ['', '', '/', lacksIss],
    ['/', '/', '', lacksIss],
  ])(
    'of the authority (%j), of the discovery document (%j) and of iss (%j)',
    async (authority, discovered, iss, expected) => {
      const [base, jwks] = [provider.authority, `${provider.authority}/jwks`];
      const document = { issuer: `${base}${discovered}`, jwks_uri: jwks };
      provider.https.serve('/.well-known/openid-configuration', document);
      const issuer = { ...trusted, authority: `${base}${authority}` };
      expect(await verify(await provider.issue('m2m', { iss: `${base}${iss}` }), issuer)).toEqual(expected);
    },
  );

  test('that is missing is told to nobody whose JWT the issuer has not signed', async () => {
    const other = await testSigner();
    const claims = { iss: `${provider.authority}/`, aud: 'm2m', sub: 'a', exp: nowSeconds() + 60 };
    expect(await verify(await other.sign(claims, { kid: provider.signer.kid }))).toBeUndefined();
  });
});

test('a JWT without exp lacks it, if its issuer has signed it and nothing else is wrong', async () => {
  const without = { exp: undefined };
  expect(await verify(await provider.issue('m2m', without))).toEqual({
    lacks: expect.stringContaining('no exp'),
  });
  expect(await verify(await provider.issue('m2m', { ...without, sub: undefined }))).toBeUndefined();
  expect(await verify(await provider.issue('other', without))).toBeUndefined();
  const other = await testSigner();
  const claims = { iss: provider.authority, aud: 'm2m', sub: 'a' };
  expect(await verify(await other.sign(claims, { kid: provider.signer.kid }))).toBeUndefined();
});

describe('the type of a JWT', () => {
  const typed = (typ: unknown, changes: object = {}) =>
    provider.signer.sign(
      { iss: provider.authority, aud: 'm2m', sub: 'a', exp: nowSeconds() + 60, ...changes },
      { typ },
    );

  test.each(['JWT', 'jwt', 'at+jwt', 'application/at+jwt', 'application/jwt', 'AT+JWT'])(
    'may be %s',
    async (typ) => {
      expect(await verify(await typed(typ))).toBeDefined();
    },
  );

  test.each<[string, unknown, object]>([
    ['a logout token', 'logout+jwt', {}],
    ['a logout token without a type', undefined, { events: {} }],
    ['a security event', 'secevent+jwt', {}],
    ['a DPoP proof', 'dpop+jwt', {}],
    ['a client assertion', 'client-authentication+jwt', {}],
    ['an authorization grant', 'authorization-grant+jwt', {}],
    ['an introspection response', 'token-introspection+jwt', {}],
    ['a request object', 'application/oauth-authz-req+jwt', {}],
    ['an ID token', 'JWT', { at_hash: 'x' }],
    ['an ID token of a hybrid flow', undefined, { c_hash: 'x' }],
    ['something unheard of', 'x', {}],
    ['nothing', '', {}],
    ['no text', 1, {}],
  ])('may not be that of %s, and nothing is fetched to see that', async (_name, typ, changes) => {
    expect(await verify(await typed(typ, changes))).toBeUndefined();
    expect(provider.https.asked).toEqual([]);
  });

  test('may be another one where the trusted issuer says so', async () => {
    const additional = { ...trusted, additionalTypes: ['JOSE', 'id_token'] };
    expect(await verify(await typed('jose'), additional)).toBeDefined();
    expect(await verify(await typed('JWT', { at_hash: 'x' }), additional)).toBeDefined();
    expect(await verify(await typed('logout+jwt'), additional)).toBeUndefined();
  });
});

describe('this issuer is no external one', () => {
  test.each([ISSUER, `${ISSUER}/`, 'https://ISSUER.example:443', 'https://issuer.example./'])(
    'under the URL %s',
    async (authority) => {
      provider.https.serve('/.well-known/openid-configuration', {
        issuer: authority,
        jwks_uri: `${provider.authority}/jwks`,
      });
      const jwt = await provider.issue('m2m', { iss: authority });
      expect(await verify(jwt, { ...trusted, authority })).toBeUndefined();
      expect(provider.https.asked).toEqual([]);
    },
  );

  /** The same key in other words: another kid, another order of members, a number with a leading zero. */
  const disguised = (jwk: JWK): JWK => {
    const { kid: _kid, n, ...others } = jwk;
    if (n === undefined) return { ...others, kid: 'other' };
    const padded = Buffer.concat([Buffer.alloc(1), Buffer.from(n, 'base64url')]);
    return { n: padded.toString('base64url'), ...others, kid: 'other' };
  };

  test.each(['ES256', 'EdDSA', 'RS256'])('by one of its keys, of %s', async (algorithm) => {
    const own = await testSigner(algorithm);
    publish({ publicJWK: disguised(own.publicJWK) });
    const claims = { iss: provider.authority, aud: 'm2m', sub: 'a', exp: nowSeconds() + 60 };
    const jwt = await own.sign(claims, { kid: 'other' });
    expect(await verify(jwt)).toBeDefined();
    ownKids.add(await calculateJwkThumbprint(own.publicJWK));
    expect(await verify(jwt)).toBeUndefined();
  });

  test('by one of its keys among others, whichever signs', async () => {
    const own = await testSigner();
    publish(provider.signer, own);
    const jwt = await lasting();
    expect(await verify(jwt)).toBeDefined();
    ownKids.add(await calculateJwkThumbprint(own.publicJWK));
    expect(await verify(jwt)).toBeUndefined();
    expect(log.lines).toEqual([]);
    await clock.advance(61 * MINUTE);
    expect(await verify(jwt)).toBeUndefined();
    const fields = { issuer: provider.authority };
    expect(log.lines).toEqual([
      { level: 'warn', message: expect.stringContaining('a key of this issuer'), fields },
    ]);
  });
});

describe('keys', () => {
  test('are fetched once for all that wait, and kept', async () => {
    const jwt = await lasting();
    await Promise.all([verify(jwt), verify(jwt), verify(jwt)]);
    await clock.advance(29 * MINUTE);
    expect(await verify(jwt)).toBeDefined();
    expect(fetched('/jwks')).toBe(1);
  });

  test('are fetched again in the background after 30 min', async () => {
    const jwt = await lasting();
    await verify(jwt);
    await clock.advance(30 * MINUTE + 1);
    let isAnswered = false;
    const asked = new Promise<void>((resolve) => {
      provider.https.on('/jwks', (response) => {
        isAnswered = true;
        response.end(JSON.stringify({ keys: [provider.signer.publicJWK] }));
        resolve();
      });
    });
    expect(await verify(jwt)).toBeDefined();
    expect(isAnswered).toBe(false);
    await asked;
  });

  test('older than 1 h are not used', async () => {
    const jwt = await lasting();
    await verify(jwt);
    goAway();
    await clock.advance(60 * MINUTE);
    expect(await verify(jwt)).toBeDefined();
    await settle();
    await clock.advance(1);
    await expect(verify(jwt)).rejects.toMatchObject({ code: 'Unavailable' });
  });

  test('that were added are found by a kid that was unknown', async () => {
    await verify(await lasting());
    const added = await testSigner();
    publish(provider.signer, added);
    await clock.advance(30_000);
    const jwt = await added.sign({ iss: provider.authority, aud: 'm2m', sub: 'a', exp: nowSeconds() + 60 });
    expect(await verify(jwt)).toBeDefined();
  });

  test('are not asked for more than once in 30 s, whatever kids are made up', async () => {
    await verify(await lasting());
    const otherSigner = await testSigner();
    const claims = { iss: provider.authority, aud: 'm2m', sub: 'a', exp: nowSeconds() + 86_400 };
    for (let second = 0; second < 60; second++) {
      await verify(await otherSigner.sign(claims, { kid: `kid-${second}` }));
      await clock.advance(1000);
    }
    expect(fetched('/jwks')).toBe(2);
  });

  test('of an issuer that is away are asked for at growing intervals, not by every request', async () => {
    goAway();
    const jwt = await lasting();
    for (let second = 0; second < 120; second++) {
      await expect(verify(jwt)).rejects.toMatchObject({ code: 'Unavailable' });
      await clock.advance(1000);
    }
    // After 1, 2, 4, … s, at most a minute.
    expect(fetched('/jwks')).toBe(7);
    publish(provider.signer);
    await clock.advance(MINUTE);
    expect(await verify(jwt)).toBeDefined();
  });

  test('are waited for no longer than the caller waits', async () => {
    const gone = new AbortController();
    provider.https.on('/jwks', () => gone.abort());
    await expect(verify(await lasting(), trusted, gone.signal)).rejects.toMatchObject({
      code: 'Unavailable',
    });
  });
});
