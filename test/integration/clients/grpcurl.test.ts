import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { SERVICE, startServer, verifiedClaims } from '../../clients/grpc-server.ts';
import { type Outcome, run } from '../../clients/programs.ts';
import { locateBinary } from '../../cluster/binaries.ts';
import { bodyOf } from '../../support/api.ts';
import { GROUP_VERSION, type Installation, install } from '../../support/installation.ts';
import { suiteUnless, whyMissing } from '../../support/suite-unless.ts';
import { AUDIENCE, ISSUER, type TestClient } from '../servers/oauth-clients.ts';

/** grpcurl, which knows the service by reflection or the .proto alone. */

const missing = await whyMissing('grpcurl');
const suite = suiteUnless(missing);

const REFLECTION: readonly string[] = [];
const PROTO_FILES = [
  ...['-import-path', 'proto'],
  ...['-proto', 'm2moauthserver/pb/service.proto'],
  ...['-proto', 'google/rpc/error_details.proto'],
];
const SCHEMAS = [
  { how: 'by reflection', schema: REFLECTION },
  { how: 'by the .proto files', schema: PROTO_FILES },
];

let grpcurl: string;
let installation: Installation;
let address: string;
let clients: readonly TestClient[];

beforeAll(async () => {
  if (missing !== undefined) return;
  grpcurl = await locateBinary('grpcurl');
  installation = await install();
  ({ address, clients } = await startServer(installation, SCHEMAS.length));
}, 900_000);
afterAll(() => installation?.close());

interface Ask {
  readonly schema: readonly string[];
  readonly request?: object;
  readonly bearer?: string;
  /** The deadline. */
  readonly maxSeconds?: number;
}

/** `-expand-headers` and `-d @` keep what is secret out of the process list. */
const call = (method: string, { schema, request = {}, bearer, maxSeconds }: Ask): Promise<Outcome> => {
  const header = bearer === undefined ? [] : ['-expand-headers', '-H', `authorization: Bearer \${BEARER}`];
  const deadline = maxSeconds === undefined ? [] : ['-max-time', String(maxSeconds)];
  const args = [
    ...['-plaintext', '-format-error', ...schema],
    ...[...deadline, ...header, '-d', '@', address, method],
  ];
  return run(grpcurl, args, { stdin: JSON.stringify(request), env: { BEARER: bearer } });
};

/** The messages that grpcurl prints one after the other. */
const messagesOf = ({ exitCode, stdout, stderr }: Outcome): Record<string, unknown>[] => {
  if (exitCode !== 0) throw new Error(stderr);
  return JSON.parse(`[${stdout.replaceAll(/^\}\n\{/gmu, '},{')}]`);
};

const firstOf = (outcome: Outcome): Record<string, unknown> => {
  const [first] = messagesOf(outcome);
  if (first === undefined) throw new Error('no message came');
  return first;
};

const outputOf = async (...args: string[]): Promise<string> => {
  const { stdout, stderr } = await run(grpcurl, ['-plaintext', ...args]);
  return stdout + stderr;
};

suite.each(SCHEMAS)('grpcurl, $how', ({ schema }) => {
  let client: TestClient;

  beforeAll(() => {
    const mine = clients[SCHEMAS.findIndex((one) => one.schema === schema)];
    if (mine === undefined) throw new Error('there is no client for this suite');
    client = mine;
  });

  const create = async (
    tokenName: string,
    audience: readonly string[] = [AUDIENCE],
  ): Promise<{ jwt: string; id: string }> => {
    const request = {
      client_id: client.id,
      client_secret: client.secret,
      grant_type: 'client_credentials',
      audience,
      token_name: tokenName,
    };
    const answer = firstOf(await call(`${SERVICE}/CreateToken`, { schema, request }));
    expect(answer).toEqual({
      accessToken: expect.any(String),
      tokenType: 'Bearer',
      expiresIn: expect.stringMatching(/^3(600|59\d)$/u),
      scope: ['read', 'write'],
    });
    const jwt = String(answer.accessToken);
    const claims = await verifiedClaims(installation, jwt, audience[0] ?? '');
    expect(claims).toMatchObject({ client_id: client.id, sub: `owner-of-${client.id}`, name: tokenName });
    return { jwt, id: String(claims.jti) };
  };

  const list = async (bearer: string, request: object): Promise<Record<string, unknown>[]> =>
    messagesOf(await call(`${SERVICE}/GetTokens`, { schema, bearer, request }));

  const remove = async (bearer: string, request: object): Promise<Record<string, unknown>> =>
    firstOf(await call(`${SERVICE}/DeleteTokens`, { schema, bearer, request }));

  test('the service and its messages are described', async () => {
    expect((await outputOf(...schema, address, 'list', SERVICE)).trim().split('\n')).toEqual(
      ['CreateToken', 'DeleteTokens', 'GetTokens'].map((method) => `${SERVICE}.${method}`),
    );
    expect(await outputOf(...schema, address, 'describe', `${SERVICE}.GetTokens`)).toContain(
      'returns ( stream .m2moauthserver.pb.Token )',
    );
    expect(await outputOf(...schema, address, 'describe', 'm2moauthserver.pb.Token')).toContain(
      '.google.protobuf.Value original_token_claims = 10;',
    );
  });

  test('a token is issued that verifies through the published keys, and is recorded', async () => {
    const { id } = await create('recorded');
    const record = { apiVersion: GROUP_VERSION, kind: 'IssuedToken' };
    const ref = { ...record, metadata: { name: id, namespace: client.namespace } };
    expect(bodyOf(await installation.api.get(ref)).spec).toMatchObject({
      clientID: client.id,
      tokenName: 'recorded',
    });
  });

  test("the owner's tokens are streamed, or those that are asked for", async () => {
    const made = [await create('one', [AUDIENCE, ISSUER]), await create('two'), await create('three')];
    const [{ jwt, id }] = made as [(typeof made)[0]];
    const all = await list(jwt, {});
    expect(all.map((token) => token.id)).toEqual(expect.arrayContaining(made.map((token) => token.id)));
    expect(await list(jwt, { id_filter: [id] })).toEqual([
      {
        id,
        name: 'one',
        owner: `owner-of-${client.id}`,
        subject: `owner-of-${client.id}`,
        clientId: client.id,
        audience: [AUDIENCE, ISSUER],
        scope: ['read', 'write'],
        issuedAt: expect.stringMatching(/^\d{10}$/u),
        expiration: expect.stringMatching(/^\d{10}$/u),
      },
    ]);
  });

  test('a token for an API lists and revokes itself alone', async () => {
    const [{ jwt, id }, other] = [await create('sent-to-an-api'), await create('other', [ISSUER])];
    expect((await list(jwt, {})).map((token) => token.id)).toEqual([id]);
    expect(await remove(jwt, { id_filter: [other.id] })).toEqual({});
    expect(await remove(jwt, {})).toEqual({ blacklistedCount: '1' });
    expect(await list(other.jwt, { id_filter: [other.id] })).toHaveLength(1);
  });

  test('a revoked token is counted once, listed only where asked for, and no bearer any more', async () => {
    const bearer = (await create('bearer', [ISSUER])).jwt;
    const { id, jwt } = await create('revoked');
    expect(await remove(bearer, { id_filter: [id] })).toEqual({ blacklistedCount: '1' });
    expect(await remove(bearer, { id_filter: [id] })).toEqual({});
    expect(await list(bearer, { id_filter: [id] })).toEqual([]);
    expect(await list(bearer, { id_filter: [id], include_blacklisted: true })).toMatchObject([
      { id, version: '1', blacklisted: { flag: true, timestamp: expect.stringMatching(/^\d{10}$/u) } },
    ]);
    const rejection = await call(`${SERVICE}/GetTokens`, { schema, bearer: jwt });
    expect(JSON.parse(rejection.stderr)).toEqual({
      code: 16,
      message: expect.stringMatching(/^cannot get tokens: /u),
    });
  });

  test('a rejection carries the OAuth code as google.rpc.ErrorInfo', async () => {
    const request = { client_id: client.id, client_secret: 'guessed', grant_type: 'client_credentials' };
    const rejection = await call(`${SERVICE}/CreateToken`, { schema, request });
    expect(rejection.exitCode).toBe(64 + 16);
    expect(JSON.parse(rejection.stderr)).toEqual({
      code: 16,
      message: 'cannot create token: client authentication failed',
      details: [
        {
          '@type': 'type.googleapis.com/google.rpc.ErrorInfo',
          domain: 'm2moauth.dev',
          reason: 'invalid_client',
        },
      ],
    });
  });
});

suite('grpcurl, beside the calls', () => {
  test.each([2_592_000, 99_999_999, 9_000_000_000])('a deadline in %d s is served', async (maxSeconds) => {
    const health = { schema: REFLECTION, request: { service: SERVICE }, maxSeconds };
    expect(messagesOf(await call('grpc.health.v1.Health/Check', health))).toEqual([{ status: 'SERVING' }]);
    const request = { grant_type: 'client_credentials', client_id: 'nobody', client_secret: 'x' };
    const rejection = await call(`${SERVICE}/CreateToken`, { schema: REFLECTION, request, maxSeconds });
    expect(JSON.parse(rejection.stderr)).toMatchObject({ code: 16 });
  });

  test('reflection lists every service, in both of its versions', async () => {
    expect((await outputOf(address, 'list')).trim().split('\n')).toEqual([
      'grpc.health.v1.Health',
      'grpc.reflection.v1.ServerReflection',
      'grpc.reflection.v1alpha.ServerReflection',
      SERVICE,
    ]);
  });

  test.each(['', SERVICE])('health of %p is SERVING', async (service) => {
    const answer = await call('grpc.health.v1.Health/Check', { schema: REFLECTION, request: { service } });
    expect(messagesOf(answer)).toEqual([{ status: 'SERVING' }]);
  });

  test('health of an unknown service is NOT_FOUND', async () => {
    const answer = await call('grpc.health.v1.Health/Check', {
      schema: REFLECTION,
      request: { service: 'nobody' },
    });
    expect(JSON.parse(answer.stderr)).toMatchObject({ code: 5 });
  });
});
