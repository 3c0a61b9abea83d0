import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { get } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { credentials } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { M2MOAuthServiceClient } from '../../../operator/servers/grpc/generated/m2moauthserver/pb/service.ts';
import { createCertificates, type KeyAndCertificate } from '../../cluster/certificates.ts';
import { type Ended, run } from '../../support/command.ts';
import { eventually } from '../../support/eventually.ts';
import { rejectionOf } from '../../support/grpc.ts';
import { CHART } from '../../support/helm.ts';
import { type Installation, install } from '../../support/installation.ts';
import type { OperatorProcess } from '../../support/operator-process.ts';

/** Client certificates, required for each listener by itself: of the compiled operator, by clients that check its certificate. */

const BASE = '/m2m-oauth-server';
let installation: Installation;
let dir: string;
let ca: string;
let ours: KeyAndCertificate;
let others: KeyAndCertificate;

beforeAll(async () => {
  installation = await install();
  dir = await mkdtemp(join(tmpdir(), 'm2m-mutual-tls-'));
  const [own, other] = [await createCertificates(['localhost']), await createCertificates(['localhost'])];
  ({ ca, admin: ours } = own);
  others = other.admin;
  const { serving } = own;
  const files = {
    'ca.crt': ca,
    'server.crt': serving.certificate,
    'server.key': serving.key,
    // As a Secret of type kubernetes.io/tls is mounted.
    'tls.crt': ours.certificate,
    'tls.key': ours.key,
  };
  for (const [name, pem] of Object.entries(files)) await writeFile(join(dir, name), pem, { mode: 0o600 });
}, 900_000);

afterAll(async () => {
  await installation?.close();
  if (dir) await rm(dir, { recursive: true });
});

type Listener = 'grpc' | 'http';
const LISTENERS: readonly Listener[] = ['grpc', 'http'];
const PROTOCOLS = { grpc: 'gRPC', http: 'HTTP' } as const;

const tlsOf = (isRequired: boolean) => ({
  certFile: join(dir, 'server.crt'),
  keyFile: join(dir, 'server.key'),
  caFile: join(dir, 'ca.crt'),
  clientCertificateRequired: isRequired,
});

interface Started {
  readonly operator: OperatorProcess;
  readonly ports: Readonly<Record<Listener, number>>;
}

const start = async (required: readonly Listener[]): Promise<Started> => {
  const address = '127.0.0.1:0';
  const sections = LISTENERS.map((name) => [name, { address, tls: tlsOf(required.includes(name)) }] as const);
  const operator = await installation.operator({ config: Object.fromEntries(sections) });
  await operator.ready();
  const portOf = (name: Listener): Promise<number> =>
    eventually(() => {
      const line = operator.log.find(({ message }) => message === `${PROTOCOLS[name]} listener started`);
      if (!line) throw new Error(`no ${PROTOCOLS[name]} listener has started`);
      return line.port as number;
    });
  const ports = { grpc: await portOf('grpc'), http: await portOf('http') };
  // The first leader makes the key; a replica that does not know it yet answers 503.
  await eventually(async () => expect(await outcomeOfHttp(ports.http, ours)).toBe('served'), {
    timeoutMs: 30_000,
  });
  return { operator, ports };
};

/** `served`, or `rejected` in the handshake. */
type Outcome = 'served' | 'rejected';

const outcomeOfGrpc = async (port: number, pair: KeyAndCertificate | undefined): Promise<Outcome> => {
  const security = credentials.createSsl(
    Buffer.from(ca),
    pair ? Buffer.from(pair.key) : null,
    pair ? Buffer.from(pair.certificate) : null,
  );
  const options = { 'grpc.ssl_target_name_override': 'localhost' };
  const client = new M2MOAuthServiceClient(`127.0.0.1:${port}`, security, options);
  const call = new Promise((resolve, reject) => {
    client.deleteTokens({ idFilter: [] }, (error, response) => (error ? reject(error) : resolve(response)));
  });
  try {
    // It has no bearer: only a server that it got through to says so.
    const { code } = await rejectionOf(call);
    expect(['UNAUTHENTICATED', 'UNAVAILABLE']).toContain(code);
    return code === 'UNAUTHENTICATED' ? 'served' : 'rejected';
  } finally {
    client.close();
  }
};

const outcomeOfHttp = (port: number, pair: KeyAndCertificate | undefined): Promise<Outcome> =>
  new Promise((resolve, reject) => {
    const path = `${BASE}/.well-known/jwks.json`;
    const target = { host: '127.0.0.1', servername: 'localhost', port, path, agent: false };
    const certificate = pair && { cert: pair.certificate, key: pair.key };
    const request = get({ ...target, ca, ...certificate }, (response) => {
      response.resume();
      if (response.statusCode === 200) resolve('served');
      else reject(new Error(`the JWKS answered ${response.statusCode}`));
    });
    request.on('error', ({ code = '' }: NodeJS.ErrnoException) =>
      /^ERR_SSL_|^ECONNRESET$|^EPIPE$/u.test(code) ? resolve('rejected') : reject(new Error(code)),
    );
  });
const OUTCOME_OF = { grpc: outcomeOfGrpc, http: outcomeOfHttp };

/** What `helm test` runs in the cluster. */
const helmTest = ({ ports }: Started, env: NodeJS.ProcessEnv): Promise<Ended> =>
  run(process.execPath, [join(CHART, 'files/test.mjs')], {
    env: {
      NODE_OPTIONS: '',
      NODE_EXTRA_CA_CERTS: join(dir, 'ca.crt'),
      GRPC_URL: `https://localhost:${ports.grpc}`,
      JWKS_URL: `https://localhost:${ports.http}${BASE}/.well-known/jwks.json`,
      ...env,
    },
  });

const CASES: readonly (readonly Listener[])[] = [[], ['grpc'], ['http'], ['grpc', 'http']];

describe.each(CASES.map((required) => [required.join(' and ') || 'no listener', required] as const))(
  'client certificates are required by %s',
  (_, required) => {
    let started: Started;
    beforeAll(async () => {
      started = await start(required);
    }, 120_000);
    afterAll(async () => {
      expect(await started?.operator.stop()).toBe(0);
    });

    test.each(LISTENERS)('%s serves a client with a certificate of the authority', async (name) => {
      expect(await OUTCOME_OF[name](started.ports[name], ours)).toBe('served');
    });

    test.each(LISTENERS)('%s rejects a client without one, if it requires one', async (name) => {
      const expected = required.includes(name) ? 'rejected' : 'served';
      expect(await OUTCOME_OF[name](started.ports[name], undefined)).toBe(expected);
    });

    test.each(LISTENERS)('%s rejects a client with one of another authority, likewise', async (name) => {
      const expected = required.includes(name) ? 'rejected' : 'served';
      expect(await OUTCOME_OF[name](started.ports[name], others)).toBe(expected);
    });

    test('probes and metrics need none', async () => {
      const { opsUrl } = started.operator;
      for (const path of ['/healthz', '/readyz', '/metrics']) {
        expect((await fetch(`${opsUrl}${path}`)).status).toBe(200);
      }
    });

    test('the log names what stays open, if only one of them requires them', () => {
      const warnings = started.operator.log.filter(({ message }) =>
        message.startsWith('client certificates are required by'),
      );
      const open = warnings.map((line) => String(line.open).split(', ')[0]);
      const expected = { grpc: ['token endpoint'], http: ['CreateToken'] };
      const [only, other] = required;
      expect(open).toEqual(only && !other ? expected[only] : []);
    });

    test('helm test succeeds with a certificate', async () => {
      const ended = await helmTest(started, { CLIENT_CERTIFICATE: dir });
      expect(ended).toMatchObject({ exitCode: 0, stderr: '' });
      expect(ended.stdout).toMatch(/serves gRPC\n.* publishes [1-9]\d* keys\n$/u);
    });

    test('helm test without one sees that clients without one are rejected', async () => {
      const ended = await helmTest(started, { CERTIFICATE_REQUIRED: required.join(' ') });
      expect(ended).toMatchObject({ exitCode: 0, stderr: '' });
      expect(ended.stdout.match(/rejects clients without a certificate/gu) ?? []).toHaveLength(
        required.length,
      );
    });

    test('helm test fails if a listener does not do what the values say', async () => {
      for (const name of LISTENERS) {
        const expected = LISTENERS.filter((other) => required.includes(other) !== (other === name));
        const { exitCode } = await helmTest(started, { CERTIFICATE_REQUIRED: expected.join(' ') });
        expect(exitCode).not.toBe(0);
      }
    }, 60_000);
  },
);
