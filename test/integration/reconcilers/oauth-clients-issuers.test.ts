import { generateKeyPairSync, type JsonWebKey } from 'node:crypto';
import type { LookupFunction } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { calculateJwkThumbprint, type JWK } from 'jose';
import { API_VERSION } from '../../../operator/api/meta.ts';
import { jsonFetcher } from '../../../operator/outbound/fetch-json.ts';
import { bodyOf, type KubeObject } from '../../support/api.ts';
import { type HttpsIssuer, startHttpsIssuer } from '../../support/https-issuer.ts';
import { ClientEnv, conditionOf, ISSUER } from './client-env.ts';

let env: ClientEnv;
beforeEach(async () => {
  env = await ClientEnv.open();
});
afterEach(async () => {
  await env[Symbol.asyncDispose]();
});

const messageOf = (client: KubeObject): string => conditionOf(client, 'CredentialsReady').message;
const publicJwk = () =>
  generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' });

describe('trusted issuers and jwksURI', () => {
  let issuer: HttpsIssuer;
  beforeEach(async () => {
    issuer = await startHttpsIssuer();
    issuer.serve('/.well-known/openid-configuration', { issuer: issuer.url, jwks_uri: `${issuer.url}/jwks` });
    issuer.serve('/jwks', { keys: [{ kty: 'oct', k: 'eA' }, publicJwk()] });
    env.fetchJson = jsonFetcher({ caFile: issuer.caFile, allowedCIDRs: ['127.0.0.1/32'], timeoutMs: 500 });
  });
  afterEach(async () => {
    await issuer[Symbol.asyncDispose]();
  });

  const trusting = (audience = 'https://m2m.example.com', extra: object = {}) => ({
    authentication: { trustedIssuers: [{ authority: issuer.url, audience, ownerPrefix: 'idp:', ...extra }] },
  });
  const discovery = (document: object) => issuer.serve('/.well-known/openid-configuration', document);

  test('are Verified where discovery names the authority and its keys can verify; asked again hourly, not at each event', async () => {
    await env.create('app', trusting());
    expect(messageOf(await env.reason('app', 'CredentialsReady', 'Verified'))).toContain('trustedIssuer');
    await env.patch('app', { metadata: { labels: { seen: 'again' } } });
    await env.idle();
    expect(issuer.asked).toEqual(['/.well-known/openid-configuration', '/jwks']);
    await env.clock.advance(3_600_000);
    await env.until(() => expect(issuer.asked).toHaveLength(4));
    await env.idle();
    await env.patch('app', { spec: trusting('https://other.example.com') });
    await env.until(() => expect(issuer.asked).toHaveLength(6));
  });

  test('are Verified where discovery names the authority with a slash more, and say so', async () => {
    discovery({ issuer: `${issuer.url}/`, jwks_uri: `${issuer.url}/jwks` });
    await env.create('app', trusting());
    const message = messageOf(await env.reason('app', 'CredentialsReady', 'Verified'));
    expect(message).toContain(`trusted issuer ${issuer.url} calls itself ${issuer.url}/: iss may be either`);
  });

  test('that are believed for any audience are named', async () => {
    await env.create('app', trusting('*'));
    expect(messageOf(await env.reason('app', 'CredentialsReady', 'Verified'))).toContain('any audience');
  });

  test('are reached with a separate caFile', async () => {
    env.fetchJson = jsonFetcher({ caFile: '', allowedCIDRs: ['127.0.0.1/32'] });
    await env.create('app', trusting('a', { caFile: issuer.caFile }));
    await env.reason('app', 'CredentialsReady', 'Verified');
  });

  test('by jwksURI alone are Verified too', async () => {
    await env.create('app', { authentication: { privateKeyJWT: { jwksURI: `${issuer.url}/jwks` } } });
    expect(messageOf(await env.reason('app', 'CredentialsReady', 'Verified'))).toContain('privateKeyJWT');
  });

  test.each<[string, () => void, string]>([
    [
      'names another issuer',
      () => discovery({ issuer: 'https://other.example', jwks_uri: `${issuer.url}/jwks` }),
      'the issuer in the discovery document is another: "https://other.example", expected "https://127.0.0.1:',
    ],
    ['has no jwks_uri', () => discovery({ issuer: issuer.url }), 'no jwks_uri'],
    ['is no object', () => issuer.serve('/.well-known/openid-configuration', ['x']), 'no JSON object'],
    [
      'redirects',
      () =>
        issuer.on('/.well-known/openid-configuration', (r) => r.writeHead(302, { location: '/jwks' }).end()),
      'redirect',
    ],
    ['is too large', () => discovery({ issuer: issuer.url, x: 'x'.repeat(300_000) }), '262144'],
    ['is too slow', () => issuer.on('/.well-known/openid-configuration', () => {}), 'unreachable'],
    [
      'is not there',
      () => issuer.on('/.well-known/openid-configuration', (r) => r.writeHead(404).end()),
      'answered with no document (404)',
    ],
    [
      'is for authenticated callers, as a cluster serves it',
      () => issuer.on('/.well-known/openid-configuration', (r) => r.writeHead(403).end()),
      'the discovery document: 127.0.0.1:',
    ],
    [
      'leads to keys that are for authenticated callers',
      () => issuer.on('/jwks', (r) => r.writeHead(403).end()),
      'the JWKS: 127.0.0.1:',
    ],
    ['has no issuer', () => discovery({ jwks_uri: `${issuer.url}/jwks` }), 'has no issuer'],
    [
      'names another issuer at length',
      () => discovery({ issuer: `https://${'x'.repeat(200_000)}`, jwks_uri: `${issuer.url}/jwks` }),
      'xxx…", expected',
    ],
    [
      'leads to plain http',
      () => discovery({ issuer: issuer.url, jwks_uri: 'http://127.0.0.1/jwks' }),
      'no https URL',
    ],
    [
      'leads to the metadata service',
      () => discovery({ issuer: issuer.url, jwks_uri: 'https://169.254.169.254/jwks' }),
      'unreachable',
    ],
    [
      'leads to keys that can not verify',
      () => issuer.serve('/jwks', { keys: [{ kty: 'oct', k: 'eA' }] }),
      'no key that can verify: key 0: it is symmetric (kty oct)',
    ],
    ['leads to no keys', () => issuer.serve('/jwks', {}), 'no list of keys'],
  ])(
    'are IssuerUnreachable where the discovery document %s, and asked again with backoff',
    async (_, spoil, word) => {
      spoil();
      await env.create('app', trusting());
      const client = await env.reason('app', 'CredentialsReady', 'IssuerUnreachable');
      expect(conditionOf(client, 'CredentialsReady').status).toBe('False');
      expect(messageOf(client)).toContain(word);
      expect(messageOf(client)).toContain(issuer.url);
      await env.reason('app', 'Ready', 'Registered');
      discovery({ issuer: issuer.url, jwks_uri: `${issuer.url}/jwks` });
      issuer.serve('/jwks', { keys: [publicJwk()] });
      await env.idle();
      await env.clock.advance(5000);
      await env.reason('app', 'CredentialsReady', 'Verified');
    },
  );

  test('on loopback are rejected unless they are listed', async () => {
    env.fetchJson = jsonFetcher({ caFile: issuer.caFile, allowedCIDRs: [] });
    await env.create('app', trusting());
    const message = messageOf(await env.reason('app', 'CredentialsReady', 'IssuerUnreachable'));
    expect(message).not.toContain('loopback');
    expect(issuer.asked).toEqual([]);
  });

  /** What is unreachable in ways that a tenant must not tell apart, and what the log says. */
  const unreachable: readonly (readonly [string, () => object, RegExp])[] = [
    [
      'an address that is not allowed',
      () => ({ authority: 'https://127.0.0.2' }),
      /may not go to \(loopback\)/u,
    ],
    ['the metadata service', () => ({ authority: 'https://169.254.169.254' }), /may not go to \(metadata\)/u],
    ['a closed port', () => ({ authority: 'https://127.0.0.1:1' }), /ECONNREFUSED/u],
    ['a host that does not exist', () => ({ authority: 'https://no-such-host.invalid' }), /ENOTFOUND/u],
    [
      'a host that does not answer',
      () => {
        issuer.on('/silent/.well-known/openid-configuration', () => {});
        return { authority: `${issuer.url}/silent` };
      },
      /in time/u,
    ],
    ['a caFile that is not there', () => ({ caFile: '/no/such/file' }), /caFile "\/no\/such\/file"/u],
    ['a caFile that is no certificate', () => ({ caFile: '/etc/passwd' }), /can not be reached/u],
    ['a caFile that is a directory', () => ({ caFile: '/etc' }), /caFile "\/etc"/u],
  ];

  /** Knows no host, whatever resolver the machine has. */
  const unknownHost: LookupFunction = (_host, _options, callback) =>
    callback(Object.assign(new Error('unknown'), { code: 'ENOTFOUND' }), '', 0);

  test('are unreachable in one text, whatever the cause, which the log has', async () => {
    const fetcher = (timeoutMs: number) =>
      jsonFetcher({
        caFile: issuer.caFile,
        allowedCIDRs: ['127.0.0.1/32'],
        timeoutMs,
        resolve: unknownHost,
      });
    const [patient, hasty] = [fetcher(30_000), fetcher(300)];
    env.fetchJson = (url, options) => (url.includes('/silent/') ? hasty : patient)(url, options);
    const texts = new Set<string>();
    for (const [at, [, make, logged]] of unreachable.entries()) {
      const name = `app-${at}`;
      const extra = make();
      await env.create(name, trusting('a', extra));
      const message = messageOf(await env.reason(name, 'CredentialsReady', 'IssuerUnreachable'));
      const { authority = issuer.url } = extra as { authority?: string };
      texts.add(message.replaceAll(authority, 'AUTHORITY'));
      const lines = env.kube.log.lines.filter(({ fields }) => fields.client === `${env.namespace}/${name}`);
      expect(lines).toEqual([
        expect.objectContaining({
          level: 'warn',
          fields: expect.objectContaining({ why: expect.stringMatching(logged) }),
        }),
      ]);
    }
    expect([...texts]).toEqual([expect.stringMatching(/^trusted issuer AUTHORITY: unreachable: /u)]);
  });

  test('that are unreachable in a client that is changed again and again do not fill the log', async () => {
    const about = () =>
      env.kube.log.lines.filter(({ message }) => message === 'an issuer of a client is unreachable');
    await env.create('app', trusting('a', { authority: 'https://127.0.0.2' }));
    await env.reason('app', 'CredentialsReady', 'IssuerUnreachable');
    for (let at = 0; at < 15; at++) {
      const text = `https://127.0.0.2/${at}`;
      await env.patch('app', { spec: trusting('a', { authority: text }) });
      await env.until(async () => expect(messageOf(await env.get('app'))).toContain(`${text}: `));
    }
    await env.idle();
    expect(about().length).toBeLessThan(14);
    await env.clock.advance(6000);
    await env.patch('app', { spec: trusting('a', { authority: 'https://127.0.0.2/last' }) });
    const unlogged = () => about().reduce((sum, { fields }) => sum + Number(fields.unlogged ?? 0), 0);
    // Every one is counted, when there is a line for it again.
    await env.until(() => expect(about().length + unlogged()).toBe(17));
  });

  test.each([
    ISSUER,
    `${ISSUER}/`,
    'https://ISSUER.example.com:443/m2m',
    'https://issuer.example.com/x/../m2m',
  ])('can not be this issuer, as %s: nothing is asked', async (authority) => {
    await env.create('app', trusting('a', { authority }));
    const client = await env.reason('app', 'CredentialsReady', 'IssuerNotAllowed');
    expect(conditionOf(client, 'CredentialsReady').status).toBe('False');
    expect(messageOf(client)).toContain(`${authority} is this issuer`);
    await env.reason('app', 'Ready', 'Registered');
  });

  /** A SigningKey of this issuer with that key, in that phase. */
  const signWith = async (jwk: JsonWebKey, phase: string): Promise<void> => {
    const kid = await calculateJwkThumbprint(jwk as JWK);
    const ref = {
      apiVersion: API_VERSION,
      kind: 'SigningKey',
      metadata: { namespace: env.namespace, name: 'own' },
    };
    bodyOf(await env.api.create({ ...ref, spec: {} }));
    const publishedAt = '2026-01-01T00:00:00Z';
    const key = {
      kid,
      algorithm: 'ES256',
      phase,
      publishedAt,
      publicJWK: { ...jwk, kid, use: 'sig', alg: 'ES256' },
    };
    bodyOf(await env.api.patch(ref, 'merge', { status: { keys: [key] } }, { subresource: 'status' }));
  };

  test.each(['Published', 'Active', 'Retired'])(
    'can not have a key of this issuer that is %s, be it one of several',
    async (phase) => {
      const own = publicJwk();
      issuer.serve('/jwks', { keys: [publicJwk(), { ...own, kid: 'in-disguise' }] });
      await signWith(own, phase);
      // The caches have it from the start.
      await env.stop();
      await env.start();
      await env.create('app', trusting());
      await env.create('by-uri', { authentication: { privateKeyJWT: { jwksURI: `${issuer.url}/jwks` } } });
      await env.create('inline', { authentication: { privateKeyJWT: { jwks: { keys: [own] } } } });
      for (const name of ['app', 'by-uri']) {
        const client = await env.reason(name, 'CredentialsReady', 'IssuerNotAllowed');
        expect(messageOf(client)).toContain('a key of this issuer');
      }
      const inline = await env.reason('inline', 'CredentialsReady', 'SecretInvalid');
      expect(messageOf(inline)).toContain('key 0: it is a key of this issuer');
    },
  );

  describe('whose bearers the configuration trusts', () => {
    const restart = async (audience: string, alsoAssertions = false): Promise<void> => {
      await env.stop();
      env.endpoints = [{ authority: issuer.url, audience, alsoAssertions }];
      await env.start();
    };

    test.each(['a', '*'])('give no assertions for the same audience, if that is %s', async (audience) => {
      await restart(audience);
      await env.create('app', trusting('a'));
      const message = messageOf(await env.reason('app', 'CredentialsReady', 'IssuerNotAllowed'));
      expect(message).toContain('authorization.endpoints');
      expect(issuer.asked).toEqual([]);
    });

    test('give assertions for another audience, or where the configuration says so', async () => {
      await restart('b');
      await env.create('other', trusting('a'));
      await env.reason('other', 'CredentialsReady', 'Verified');
      await restart('a', true);
      await env.create('both', trusting('a'));
      await env.reason('both', 'CredentialsReady', 'Verified');
    });
  });

  test.each<[string, string, object, readonly string[]]>([
    ['nothing', 'a', { requiredClaims: { team: 'x' } }, []],
    ['any audience', '*', { requiredClaims: { team: 'x' } }, ['any audience']],
    ['no required claims', 'a', {}, ['no requiredClaims']],
    ['an empty map of required claims', 'a', { requiredClaims: {} }, ['no requiredClaims']],
    ['an empty prefix', 'a', { requiredClaims: { team: 'x' }, ownerPrefix: '' }, ['empty ownerPrefix']],
    ['all of it', '*', { ownerPrefix: '' }, ['any audience', 'no requiredClaims', 'empty ownerPrefix']],
  ])(
    'that are trusted with %s have it named, whether they answer or not',
    async (_name, audience, extra, words) => {
      const all = ['any audience', 'no requiredClaims', 'empty ownerPrefix'];
      const namedIn = (message: string) => all.filter((word) => message.includes(word));
      await env.create('app', trusting(audience, extra));
      expect(namedIn(messageOf(await env.reason('app', 'CredentialsReady', 'Verified')))).toEqual(words);
      await env.create('away', trusting(audience, { ...extra, authority: 'https://127.0.0.2' }));
      expect(namedIn(messageOf(await env.reason('away', 'CredentialsReady', 'IssuerUnreachable')))).toEqual(
        words,
      );
    },
  );

  test('that do not answer keep no other client from the client ID', async () => {
    env.fetchJson = jsonFetcher({ caFile: issuer.caFile, allowedCIDRs: ['127.0.0.1/32'], timeoutMs: 20_000 });
    let answer: () => void = () => {};
    const answered = new Promise<void>((resolve) => {
      answer = resolve;
    });
    issuer.on('/.well-known/openid-configuration', async (response) => {
      await answered;
      response.writeHead(503).end();
    });
    const slow = Array.from({ length: 8 }, (_, at) => `slow-${at}`);
    await Promise.all(slow.map((name) => env.create(name, trusting())));
    await env.until(() => expect(issuer.asked).not.toEqual([]));
    await env.create('quick');
    await env.until(async () =>
      expect(conditionOf(await env.get('quick'), 'Ready')).toMatchObject({ reason: 'Registered' }),
    );
    for (const name of slow) expect(conditionOf(await env.get(name), 'CredentialsReady')).toBeUndefined();
    answer();
    for (const name of slow) await env.reason(name, 'CredentialsReady', 'IssuerUnreachable');
  });

  test('are alternatives: one that works suffices, and the other is named', async () => {
    await env.create('app', {
      authentication: {
        trustedIssuers: [
          { authority: issuer.url, audience: 'a', ownerPrefix: '' },
          { authority: 'https://127.0.0.1:1', audience: 'a', ownerPrefix: '' },
        ],
      },
    });
    const message = messageOf(await env.reason('app', 'CredentialsReady', 'Verified'));
    expect(message).toContain('trusted issuer https://127.0.0.1:1');
  });
});
