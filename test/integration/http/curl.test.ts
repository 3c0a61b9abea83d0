import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { run } from '../../clients/programs.ts';
import { httpUrl } from '../../support/http.ts';
import { type Installation, install } from '../../support/installation.ts';
import type { OperatorProcess } from '../../support/operator-process.ts';
import { AUDIENCE, ISSUER, idOf, makeClient } from '../servers/oauth-clients.ts';

/** The OAuth endpoints as curl's users call them: with files, without encodings, by whole URLs. */

let installation: Installation;
let namespace: string;
let operator: OperatorProcess;
let url: string;
let dir: string;

beforeAll(async () => {
  installation = await install();
  namespace = await installation.api.createNamespace('curl');
  operator = await installation.operator();
  await operator.ready();
  url = await httpUrl(operator);
  dir = await mkdtemp(join(tmpdir(), 'curl-'));
}, 900_000);
afterAll(async () => {
  await installation?.close();
  if (dir !== undefined) await rm(dir, { recursive: true });
});

interface Answer {
  readonly status: number;
  readonly headers: string;
  // biome-ignore lint/suspicious/noExplicitAny: the shape differs by endpoint, and a test asserts it
  readonly body: any;
}

const curl = async (...args: readonly string[]): Promise<Answer> => {
  const { exitCode, stdout, stderr } = await run('curl', ['-sS', '-i', '--http1.1', ...args]);
  if (exitCode !== 0) throw new Error(stderr);
  const [headers = '', ...rest] = stdout.split('\r\n\r\n');
  const text = rest.join('\r\n\r\n');
  return { status: Number(headers.split(' ')[1]), headers, body: text === '' ? undefined : JSON.parse(text) };
};

const file = async (name: string, content: string): Promise<string> => {
  const path = join(dir, name);
  await writeFile(path, content);
  return path;
};

const GRANT = ['-d', 'grant_type=client_credentials', '-d', `audience=${AUDIENCE}`];
const failed = (): Promise<number> => operator.sum('m2moauth_client_authentication_failures_total');
const failures = () =>
  operator.log.filter(({ message }) => String(message).includes('failed to authenticate'));

describe.each([
  ['LF', '\n'],
  ['CRLF', '\r\n'],
])('a secret in a file that ends with %s', (_name, end) => {
  test.each([
    ['the Secret and the request are made from it', end, end],
    ['the Secret alone is made from it', end, ''],
    ['the request alone is made from it', '', end],
  ])('authenticates where %s', async (_case, stored, sent) => {
    const secret = 'a-secret-of-more-than-16-characters';
    const client = await makeClient(installation, namespace, {
      data: { client_secret: `${secret}${stored}` },
    });
    const path = await file(`${client.id}.secret`, `${secret}${sent}`);
    const id = await file(`${client.id}.id`, `${client.id}${end}`);
    const proof = ['--data-urlencode', `client_id@${id}`, '--data-urlencode', `client_secret@${path}`];
    const created = await curl(...GRANT, ...proof, `${url}/oauth/token`);
    expect(created).toMatchObject({ status: 200, body: { token_type: 'Bearer' } });
    const token = await file(`${client.id}.jwt`, `${created.body.access_token}${end}`);
    const asked = await curl(...proof, '--data-urlencode', `token@${token}`, `${url}/oauth/introspect`);
    expect(asked).toMatchObject({ status: 200, body: { active: true } });
  });
});

describe('Basic that is not encoded', () => {
  const oddSecret = 'p+q/r=%41 and more of it';
  const makeOdd = () => makeClient(installation, namespace, { data: { client_secret: oddSecret } });

  test('authenticates, and nothing has failed', async () => {
    const client = await makeOdd();
    const before = await failed();
    for (let round = 0; round < 15; round += 1) {
      const answer = await curl('-u', `${client.id}:${oddSecret}`, ...GRANT, `${url}/oauth/token`);
      expect(answer.status).toBe(200);
    }
    expect(await failed()).toBe(before);
    expect(failures()).toEqual([]);
  });

  test('that is wrong fails once', async () => {
    const client = await makeOdd();
    const before = await failed();
    const answer = await curl('-u', `${client.id}:${oddSecret}+x`, ...GRANT, `${url}/oauth/token`);
    expect(answer).toMatchObject({ status: 401, body: { error: 'invalid_client' } });
    expect(await failed()).toBe(before + 1);
  });

  test('with an empty password beside an assertion names the client only', async () => {
    const client = await makeClient(installation, namespace);
    const assertion = [
      '--data-urlencode',
      'client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      ...['-d', 'client_assertion=a.b.c'],
    ];
    const answer = await curl('-u', `${client.id}:`, ...GRANT, ...assertion, `${url}/oauth/token`);
    expect(answer).toMatchObject({ status: 401, body: { error: 'invalid_client' } });
  });
});

test('JSON is read without a content type, and as text', async () => {
  const client = await makeClient(installation, namespace);
  const body = JSON.stringify({
    grant_type: 'client_credentials',
    audience: AUDIENCE,
    client_id: client.id,
    client_secret: client.secret,
  });
  for (const type of ['Content-Type:', 'Content-Type: text/plain']) {
    expect((await curl('-H', type, '-d', body, `${url}/oauth/token`)).status).toBe(200);
  }
  expect((await curl('-H', 'Content-Type:', '-d', 'grant_type=x', `${url}/oauth/token`)).status).toBe(415);
});

test('a request line with a whole URL is served', async () => {
  const { pathname } = new URL(url);
  const client = await makeClient(installation, namespace);
  const target = (path: string): string[] => ['--request-target', `http://proxy.example${pathname}${path}`];
  expect((await curl(...target('/.well-known/jwks.json'), url)).status).toBe(200);
  const proof = ['-u', `${client.id}:${client.secret}`];
  const { status, body } = await curl(...target('/oauth/token'), ...proof, ...GRANT, url);
  expect(status).toBe(200);
  const bearer = ['-H', `Authorization: Bearer ${body.access_token}`];
  const query = `?idFilter=${idOf(body.access_token)}`;
  expect(await curl(...target(`/api/v1/tokens${query}`), ...bearer, url)).toMatchObject({
    status: 200,
    body: { result: { clientId: client.id } },
  });
});

test('a rejected bearer has the error of RFC 6750 in its challenge, and none is asked for without', async () => {
  const client = await makeClient(installation, namespace);
  const proof = ['-u', `${client.id}:${client.secret}`];
  const { body } = await curl(...proof, ...GRANT, '-d', `resource=${ISSUER}`, `${url}/oauth/token`);
  const challenge = async (...args: string[]): Promise<string | undefined> => {
    const { headers, ...answer } = await curl(...args, `${url}/api/v1/tokens`);
    expect(answer).toEqual({
      status: 401,
      body: { code: 16, message: expect.stringMatching(/ tokens: the bearer is missing or not good$/u) },
    });
    return /^www-authenticate: (.*)$/imu.exec(headers)?.[1];
  };
  const bearer = ['-H', `Authorization: Bearer ${body.access_token}`];
  expect((await curl(...bearer, `${url}/api/v1/tokens`)).status).toBe(200);
  await curl(...proof, '-d', `token=${body.access_token}`, `${url}/oauth/revoke`);
  const realm = 'Bearer realm="m2m-oauth-operator"';
  expect(await challenge()).toBe(realm);
  expect(await challenge(...proof)).toBe(realm);
  expect(await challenge(...bearer)).toBe(`${realm}, error="invalid_token"`);
  expect(await challenge(...bearer, '-X', 'DELETE')).toBe(`${realm}, error="invalid_token"`);
  expect(await challenge('-H', 'Authorization: Bearer x')).toBe(`${realm}, error="invalid_token"`);
});
