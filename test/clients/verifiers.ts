import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { locateBinary } from '../cluster/binaries.ts';
import { findFreePorts } from '../cluster/ports.ts';
import { eventually } from '../support/eventually.ts';
import type { SecretClient } from './http-clients.ts';
import type { HttpPlace } from './http-server.ts';
import type { Nginx } from './nginx.ts';
import { codeBlock } from './page.ts';
import { ROOT } from './programs.ts';

/** An API that asks for tokens, made of a block of docs/verify.md. */
export interface Verifier {
  /** What it answers to a bearer; without a header where there is none. */
  ask(jwt?: string): Promise<{ status: number; text: string }>;
  stop(): Promise<void>;
}

/** What a block is put into. */
export interface VerifierParts {
  readonly page: string;
  readonly place: HttpPlace;
}

const serve = async (
  start: (at: { dir: string; port: number }) => Promise<ChildProcess>,
): Promise<Verifier> => {
  const dir = await mkdtemp(join(tmpdir(), 'm2m-verifier-'));
  const [port = 0] = await findFreePorts(1);
  const child = await start({ dir, port });
  const exited = once(child, 'exit');
  const ask = async (jwt?: string): Promise<{ status: number; text: string }> => {
    const headers: Record<string, string> = jwt === undefined ? {} : { authorization: `Bearer ${jwt}` };
    const answer = await fetch(`http://127.0.0.1:${port}/`, { headers });
    return { status: answer.status, text: await answer.text() };
  };
  await eventually(() => ask(), { timeoutMs: 20_000 });
  return {
    ask,
    stop: async () => {
      child.kill('SIGKILL');
      await exited;
      await rm(dir, { recursive: true });
    },
  };
};

const STDIO = ['ignore', 'ignore', 'inherit'] as const;

/** The Node program of the page. */
export const startNodeVerifier = ({ page, place }: VerifierParts): Promise<Verifier> =>
  serve(async ({ dir, port }) => {
    await symlink(join(ROOT, 'node_modules'), join(dir, 'node_modules'));
    await writeFile(join(dir, 'api.mjs'), codeBlock(page, 'verify-node', 'js'));
    const env = { PORT: String(port), M2M_ISSUER: place.issuer, NODE_EXTRA_CA_CERTS: place.caFile };
    return spawn(process.execPath, ['api.mjs'], { cwd: dir, env, stdio: [...STDIO] });
  });

/** The Go program of the page, built with the versions that test/go/go.mod pins. */
export const startGoVerifier = ({ place }: VerifierParts): Promise<Verifier> =>
  serve(async ({ port }) => {
    const env = { PORT: String(port), M2M_ISSUER: place.issuer, SSL_CERT_FILE: place.caFile };
    return spawn(await locateBinary('verifier'), { env, stdio: [...STDIO] });
  });

/** What is around the page's part of an nginx.conf; everything that is written stays in `dir`. */
const nginxConf = (nginx: Nginx, { dir, part }: { dir: string; part: string }): string => `
load_module ${nginx.jsModule};
daemon off;
master_process off;
pid ${dir}/nginx.pid;
events {}
http {
  access_log off;
${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `  ${name}_temp_path ${dir}/${name};`).join('\n')}
${part}
}
`;

/** The API behind NGINX: it says who NGINX says is calling. */
const startApi = async (): Promise<{ port: number; stop: () => void }> => {
  const api = createServer((request, response) => {
    response.end(`hello, ${decodeURIComponent(String(request.headers['x-token-client']))}\n`);
  });
  api.listen(0, '127.0.0.1');
  await once(api, 'listening');
  const stop = (): void => {
    api.closeAllConnections();
    api.close();
  };
  return { port: (api.address() as AddressInfo).port, stop };
};

/** The NGINX of the page, which asks as `client`. */
export const startNginxVerifier = async (
  nginx: Nginx,
  client: SecretClient,
  { page, place }: VerifierParts,
): Promise<Verifier> => {
  const api = await startApi();
  const verifier = await serve(async ({ dir, port }) => {
    const part = codeBlock(page, 'verify-nginx', 'nginx')
      .replaceAll('localhost:9101', new URL(place.issuer).host)
      .replaceAll('/etc/nginx/', `${dir}/`)
      .replaceAll('127.0.0.1:8080', `127.0.0.1:${port}`)
      .replaceAll('127.0.0.1:3000', `127.0.0.1:${api.port}`);
    const basic = Buffer.from(`${client.id}:${client.secret}`).toString('base64');
    await writeFile(join(dir, 'verify.js'), codeBlock(page, 'verify-nginx', 'js'));
    await writeFile(join(dir, 'introspection.conf'), `set $introspection "Basic ${basic}";\n`);
    await writeFile(join(dir, 'm2m-ca.crt'), place.ca);
    await writeFile(join(dir, 'nginx.conf'), nginxConf(nginx, { dir, part }));
    const args = ['-p', dir, '-c', join(dir, 'nginx.conf'), '-e', 'stderr'];
    return spawn(nginx.program, args, { stdio: [...STDIO] });
  });
  return {
    ...verifier,
    stop: async () => {
      await verifier.stop();
      api.stop();
    },
  };
};
