import { Pool } from 'undici';
import { eventually } from '../../support/eventually.ts';
import type { OperatorProcess } from '../../support/operator-process.ts';
import { IN_FLIGHT } from '../limits/api-server.ts';

/** A request of the bench, and its answer. */
export interface HttpRequest {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}
export interface HttpAnswer {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** As many connections as calls in flight, all kept alive. */
export interface HttpClient {
  /** @throws Error where the answer is not 200 */
  ask(request: HttpRequest): Promise<HttpAnswer>;
  close(): Promise<void>;
}

/** Headers of a connection, or of a moment: a server sets them by itself. */
const OWN = new Set(['connection', 'content-length', 'date', 'keep-alive', 'transfer-encoding']);

/** Connects to a port on loopback without TLS. */
export const httpClient = (port: number): HttpClient => {
  const pool = new Pool(`http://127.0.0.1:${port}`, { connections: IN_FLIGHT, pipelining: 1 });
  return {
    ask: async ({ method, path, headers, body }) => {
      const answer = await pool.request({ method, path, headers, body: body ?? null });
      const text = await answer.body.text();
      if (answer.statusCode !== 200) throw new Error(`${method} ${path}: ${answer.statusCode} ${text}`);
      return { headers: answer.headers as Record<string, string>, body: text };
    },
    close: () => pool.destroy(),
  };
};

/** The headers of an answer that another server would have to set to give the same one. */
export const ownHeaders = ({ headers }: HttpAnswer): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => !OWN.has(name)));

/** Connects to the HTTP server of an operator, once it listens. */
export const connectHttp = async (operator: OperatorProcess): Promise<HttpClient> => {
  const port = await eventually(
    () => operator.log.find(({ message }) => message === 'HTTP listener started')?.port ?? false,
    { timeoutMs: 60_000 },
  );
  return httpClient(Number(port));
};
