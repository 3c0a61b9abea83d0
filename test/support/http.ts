import { eventually } from './eventually.ts';
import type { OperatorProcess } from './operator-process.ts';

/** Where an operator's HTTP server listens, without TLS on loopback, and the path of its issuer. */
export const httpUrl = async (operator: OperatorProcess, base = '/m2m-oauth-server'): Promise<string> => {
  const port = await eventually(
    () => {
      const line = operator.log.find(({ message }) => message === 'HTTP listener started');
      if (!line) throw new Error('the HTTP listener has not started');
      return Number(line.port);
    },
    { timeoutMs: 60_000 },
  );
  return `http://127.0.0.1:${port}${base}`;
};

/** Sends a form. */
export const postForm = (
  url: string,
  form: Readonly<Record<string, string>> | readonly (readonly [string, string])[],
  headers: Readonly<Record<string, string>> = {},
): Promise<Response> =>
  fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
    body: new URLSearchParams(form as [string, string][]).toString(),
  });

/** The value of an Authorization header by RFC 6749 §2.3.1. */
export const basic = (id: string, secret: string): string =>
  `Basic ${Buffer.from(`${encodeURIComponent(id)}:${encodeURIComponent(secret)}`).toString('base64')}`;
