import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createCertificates } from '../cluster/certificates.ts';

/** What an issuer answers to a path. */
type Answer = (response: ServerResponse, request: IncomingMessage) => void;

/** An HTTPS server on loopback with a certificate of a separate authority, for what the operator fetches. */
export interface HttpsIssuer extends AsyncDisposable {
  /** `https://127.0.0.1:<port>` */
  readonly url: string;
  readonly port: number;
  /** The authority, PEM. */
  readonly caFile: string;
  /** Paths that were asked for, in order. */
  readonly asked: string[];
  /** Answers a path from now on. */
  on(path: string, answer: Answer): void;
  /** Answers a path with a JSON document. */
  serve(path: string, document: unknown): void;
}

const port = (server: Server): number => (server.address() as AddressInfo).port;

/** Starts one on a free port. */
export const startHttpsIssuer = async (): Promise<HttpsIssuer> => {
  const { ca, serving } = await createCertificates(['localhost', 'issuer.test', '127.0.0.1']);
  const dir = await mkdtemp(join(tmpdir(), 'm2m-issuer-'));
  const caFile = join(dir, 'ca.crt');
  await writeFile(caFile, ca);
  const answers = new Map<string, Answer>();
  const asked: string[] = [];
  const server = createServer({ cert: serving.certificate, key: serving.key }, (request, response) => {
    const path = request.url ?? '';
    asked.push(path);
    const answer = answers.get(path);
    if (answer) answer(response, request);
    else response.writeHead(404).end('no such path');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `https://127.0.0.1:${port(server)}`,
    port: port(server),
    caFile,
    asked,
    on: (path, answer) => void answers.set(path, answer),
    serve: (path, document) =>
      void answers.set(path, (response) =>
        response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(document)),
      ),
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await rm(dir, { recursive: true, force: true });
    },
  };
};
