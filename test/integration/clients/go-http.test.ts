import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { AUDIENCE, makeOddClient, type SecretClient } from '../../clients/http-clients.ts';
import { type HttpServerProcess, startHttpServer } from '../../clients/http-server.ts';
import { run, stdoutOf } from '../../clients/programs.ts';
import { locateBinary } from '../../cluster/binaries.ts';
import { type Installation, install } from '../../support/installation.ts';
import { suiteUnless, whyMissing } from '../../support/suite-unless.ts';

/** golang.org/x/oauth2 and go-oidc, as a Go program uses them: see test/go/httpclient. */

const missing = await whyMissing('httpclient');
const suite = suiteUnless(missing);

let program: string;
let installation: Installation;
let server: HttpServerProcess;
let client: SecretClient;

beforeAll(async () => {
  if (missing !== undefined) return;
  program = await locateBinary('httpclient');
  installation = await install();
  ({ server, prepared: client } = await startHttpServer(installation, {
    prepare: async ({ issuer }) => {
      const { api } = installation;
      return makeOddClient(
        { api, namespace: await api.createNamespace('go') },
        { allowedAudiences: [AUDIENCE, issuer] },
      );
    },
  }));
}, 900_000);
afterAll(async () => {
  await server?.close();
  await installation?.close();
});

type Line = { readonly step: string } & Record<string, unknown>;

const command = (issuer: string): Parameters<typeof run> => [
  program,
  [
    ...['-issuer', issuer],
    ...['-other-url', server.otherURL],
    ...['-cacert', server.caFile],
    ...['-client-id', client.id],
    ...['-audience', AUDIENCE],
  ],
  { env: { M2M_CLIENT_SECRET: client.secret } },
];

suite('a Go client of the HTTP server', () => {
  let lines: Line[];

  beforeAll(async () => {
    const stdout = await stdoutOf(...command(server.issuer));
    lines = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
  }, 90_000);

  const seen = (step: string): Line => {
    const line = lines.find((one) => one.step === step);
    if (line === undefined) throw new Error(`it took no step ${step}`);
    return line;
  };

  test('takes every step', () => {
    expect(lines.map(({ step }) => step)).toEqual([
      'discovery',
      'other-url',
      'basic',
      'post',
      'auto',
      'wrong-secret-basic',
      'wrong-secret-post',
      'wrong-scope',
      'wrong-resource',
      'verify',
      'wrong-audience',
      'tampered-claims',
      'tampered-signature',
      'expired',
      'list',
    ]);
  });

  test('finds the token endpoint by discovery', () => {
    expect(seen('discovery')).toMatchObject({ token_endpoint: `${server.issuer}/oauth/token` });
  });

  test('does not believe the issuer under another name', () => {
    expect(seen('other-url')).toMatchObject({
      refused: true,
      because: expect.stringContaining('issuer URL provided to client'),
    });
  });

  test.each(['basic', 'post', 'auto'])('gets a token, by %s', (style) => {
    const { expires_in: expiresIn, ...answer } = seen(style);
    expect(answer).toEqual({ step: style, token_type: 'Bearer', scope: 'read', valid: true });
    expect(expiresIn).toBeGreaterThan(3500);
  });

  test.each([
    ['wrong-secret-basic', 401, 'invalid_client'],
    ['wrong-secret-post', 401, 'invalid_client'],
    ['wrong-scope', 400, 'invalid_scope'],
    ['wrong-resource', 400, 'invalid_target'],
  ])('reads OAuth from the rejection: %s', (step, status, error) => {
    expect(seen(step)).toMatchObject({ status, error, description: expect.stringMatching(/./u) });
  });

  test('verifies the token by the published keys', () => {
    expect(seen('verify')).toEqual({
      step: 'verify',
      issuer: server.issuer,
      subject: client.owner,
      audience: [AUDIENCE],
      jti: expect.stringMatching(/^[0-9a-f-]{36}$/u),
      client_id: client.id,
      scope: 'read',
      lifetime: 3600,
    });
  });

  test.each([
    ['wrong-audience', 'expected audience'],
    ['tampered-claims', 'failed to verify signature'],
    ['tampered-signature', 'failed to verify signature'],
    ['expired', 'token is expired'],
  ])('rejects a token for one reason: %s', (step, because) => {
    expect(seen(step)).toMatchObject({
      refused: true,
      expired: step === 'expired',
      because: expect.stringContaining(because),
    });
  });

  test('lists every token with a new decoder for each, since each comes in a write of its own', () => {
    expect(seen('list')).toMatchObject({ tokens: 4, transfer: ['chunked'] });
  });

  test('goes no further where discovery is rejected', async () => {
    const { exitCode, stdout, stderr } = await run(...command(server.otherURL));
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' });
    expect(stderr).toContain('httpclient: discovery: ');
  });
});
