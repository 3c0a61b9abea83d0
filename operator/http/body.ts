import type { FastifyRequest } from 'fastify';
import { IssuerFailure } from '../issuer/failure.ts';
import { HttpFailure } from './http-failure.ts';

type Headed = Pick<FastifyRequest, 'headers'>;

const malformed = (message: string): IssuerFailure => new IssuerFailure('Malformed', message);

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** The media type without its parameters, in lower case; '' where there is none. */
export const mediaTypeOf = ({ headers }: Headed): string =>
  (headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';

/** A body as text. @throws HttpFailure 415 where it is packed (RFC 9110 §15.5.16); IssuerFailure `Malformed` where it is not UTF-8 */
export const textOf = ({ headers, body }: Headed & Pick<FastifyRequest, 'body'>): string => {
  const coding = headers['content-encoding']?.trim().toLowerCase() ?? '';
  if (!['', 'identity'].includes(coding)) throw new HttpFailure(415);
  if (!(body instanceof Uint8Array)) return '';
  try {
    return utf8.decode(body);
  } catch {
    throw malformed('the body is not UTF-8');
  }
};

/** The JSON object in a text. @throws IssuerFailure `Malformed` where there is none */
export const objectOf = (text: string): Readonly<Record<string, unknown>> => {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw malformed('the body is no JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw malformed('the body is no JSON object');
  }
  return value as Readonly<Record<string, unknown>>;
};
