import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type GrpcServer, grpcAddress, startServer } from '../../clients/grpc-server.ts';
import { type Outcome, run, stdoutOf } from '../../clients/programs.ts';
import { locateBinary } from '../../cluster/binaries.ts';
import { createCertificates } from '../../cluster/certificates.ts';
import { eventually } from '../../support/eventually.ts';
import { type Installation, install } from '../../support/installation.ts';
import { suiteUnless, whyMissing } from '../../support/suite-unless.ts';
import { ISSUER, type TestClient } from '../servers/oauth-clients.ts';

/** A Go program, whose client is made of proto/ by protoc-gen-go and protoc-gen-go-grpc: see test/go/m2mclient. */

const missing = await whyMissing('m2mclient');
const suite = suiteUnless(missing);

/** What it makes for its long streams: some 450 KB, several times what service and network hold for a reader that is slow. */
const TOKENS = 1000;

let program: string;
let installation: Installation;
let grpc: GrpcServer;

beforeAll(async () => {
  if (missing !== undefined) return;
  program = await locateBinary('m2mclient');
  installation = await install();
  grpc = await startServer(installation, 2);
}, 900_000);
afterAll(() => installation?.close());

const walk = (address: string, client: TestClient, more: readonly string[] = []): Parameters<typeof run> => [
  program,
  ['-address', address, '-client-id', client.id, '-audience', ISSUER, ...more],
  { env: { M2M_CLIENT_SECRET: client.secret } },
];

type Line = { readonly step: string } & Record<string, unknown>;
const linesOf = (stdout: string): Line[] =>
  stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));

const clientAt = (index: number): TestClient => {
  const client = grpc.clients[index];
  if (client === undefined) throw new Error('there is no such client');
  return client;
};

suite('a Go client, without TLS', () => {
  let client: TestClient;
  let lines: Line[];

  beforeAll(async () => {
    client = clientAt(0);
    lines = linesOf(await stdoutOf(...walk(grpc.address, client, ['-tokens', String(TOKENS)])));
  }, 180_000);

  const seen = (step: string): Line[] => lines.filter((line) => line.step === step);
  const walkedID = () => seen('create')[1]?.id;

  test('sees the service SERVING', () => {
    expect(seen('health')).toEqual([{ step: 'health', status: 'SERVING' }]);
  });

  test('gets tokens', () => {
    const answer = { step: 'create', token_type: 'Bearer', scope: ['read', 'write'] };
    expect(seen('create')).toEqual(
      Array.from({ length: 2 }, () => ({
        ...answer,
        id: expect.stringMatching(/^[0-9a-f-]{36}$/u),
        expires_in: expect.any(Number),
      })),
    );
  });

  test('is streamed the token that it asks for', () => {
    const token = { id: walkedID(), name: 'walked', owner: `owner-of-${client.id}`, clientId: client.id };
    expect(seen('get')).toMatchObject([{ tokens: [token] }]);
  });

  test('revokes it, once', () => {
    expect(seen('delete')).toMatchObject([{ blacklisted_count: 1, deleted_count: 0 }]);
    expect(seen('delete-again')).toMatchObject([{ blacklisted_count: 0, deleted_count: 0 }]);
    expect(seen('get-live')).toMatchObject([{ tokens: [] }]);
    expect(seen('get-blacklisted')).toMatchObject([
      { tokens: [{ id: walkedID(), blacklisted: { flag: true } }] },
    ]);
  });

  test('reads code and reason of a rejection', () => {
    const reason = { reason: 'invalid_client', domain: 'm2moauth.dev' };
    expect(seen('refused')).toMatchObject([{ code: 'Unauthenticated', details: [reason] }]);
  });

  test('ends streams half-way, by losing interest or by its deadline, and the service notices', async () => {
    expect(seen('cancelled')).toMatchObject([{ code: 'Canceled' }]);
    expect(seen('overdue')).toMatchObject([{ code: 'DeadlineExceeded' }]);
    const ended = async (code: string): Promise<number> =>
      grpc.replica.sum('m2moauth_grpc_calls_total', `method="GetTokens",code="${code}"`);
    await eventually(async () => (await ended('CANCELLED')) + (await ended('DEADLINE_EXCEEDED')) === 2);
  });

  test('reads a long stream to its end, each token once', () => {
    expect(seen('count')).toMatchObject([{ distinct: TOKENS + 1 }]);
  });

  test("revokes all of its owner's tokens, and with them its bearer", () => {
    expect(seen('delete-all')).toMatchObject([{ blacklisted_count: TOKENS + 1, deleted_count: 0 }]);
    expect(seen('revoked-bearer')).toMatchObject([{ code: 'Unauthenticated', details: [] }]);
  });
});

suite('a Go client, with mutual TLS', () => {
  let dir: string;
  let address: string;
  let client: TestClient;

  beforeAll(async () => {
    const { ca, serving, admin } = await createCertificates(['127.0.0.1']);
    dir = await mkdtemp(join(tmpdir(), 'm2m-tls-'));
    const files = {
      'ca.crt': ca,
      'server.crt': serving.certificate,
      'server.key': serving.key,
      'client.crt': admin.certificate,
      'client.key': admin.key,
    };
    for (const [name, pem] of Object.entries(files)) await writeFile(join(dir, name), pem, { mode: 0o600 });
    const tls = {
      certFile: join(dir, 'server.crt'),
      keyFile: join(dir, 'server.key'),
      caFile: join(dir, 'ca.crt'),
      clientCertificateRequired: true,
    };
    const operator = await installation.operator({ config: { grpc: { address: '127.0.0.1:0', tls } } });
    await operator.ready();
    address = await grpcAddress(operator);
    client = clientAt(1);
  }, 120_000);
  afterAll(async () => {
    if (dir) await rm(dir, { recursive: true });
  });

  const authority = () => ['-cacert', join(dir, 'ca.crt')];
  const certificate = () => ['-cert', join(dir, 'client.crt'), '-key', join(dir, 'client.key')];
  const attempt = (more: readonly string[]): Promise<Outcome> =>
    run(...walk(address, client, [...more, '-timeout', '10s']));

  test('takes every step with a certificate', async () => {
    const stdout = await stdoutOf(...walk(address, client, [...authority(), ...certificate()]));
    expect(linesOf(stdout).at(-1)).toMatchObject({ step: 'revoked-bearer', code: 'Unauthenticated' });
  }, 90_000);

  test.each([
    ['without a certificate', authority],
    ['in plain text', () => []],
  ])(
    'takes none %s',
    async (_, flags) => {
      const { exitCode, stdout, stderr } = await attempt(flags());
      expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' });
      expect(stderr).toMatch(/^m2mclient: health: .*(Unavailable|DeadlineExceeded)/u);
    },
    30_000,
  );
});
