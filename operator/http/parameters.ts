import type { FastifyRequest } from 'fastify';
import { IssuerFailure } from '../issuer/failure.ts';
import { HttpFailure, TEXTS } from './http-failure.ts';

/** The parameters of a request, each with its values in order; without a value means left out (RFC 6749 §3.2). */
export type Parameters = ReadonlyMap<string, readonly string[]>;

/** More than any request has; each costs an entry. */
const MAX_PARAMETERS = 256;

const utf8 = new TextDecoder('utf-8', { fatal: true });

const malformed = (message: string): IssuerFailure => new IssuerFailure('Malformed', message);

/** A body as text. @throws IssuerFailure `Malformed` where it is not UTF-8 */
export const textOf = (body: unknown): string => {
  if (!(body instanceof Uint8Array)) return '';
  try {
    return utf8.decode(body);
  } catch {
    throw malformed('the body is not UTF-8');
  }
};

const add = (parameters: Map<string, string[]>, name: string, value: string): void => {
  if (value === '') return;
  const values = parameters.get(name);
  if (values) values.push(value);
  else parameters.set(name, [value]);
  if (parameters.size > MAX_PARAMETERS) throw malformed('there are too many parameters');
};

const ofForm = (text: string): Parameters => {
  const parameters = new Map<string, string[]>();
  for (const [name, value] of new URLSearchParams(text)) add(parameters, name, value);
  return parameters;
};

const ofJson = (text: string): Parameters => {
  const parameters = new Map<string, string[]>();
  for (const [name, value] of Object.entries(objectOf(text))) {
    const values: unknown[] = Array.isArray(value) ? value : [value];
    for (const item of values) {
      if (item === null) continue;
      if (typeof item !== 'string' && typeof item !== 'number') {
        throw malformed(`${JSON.stringify(name)} is neither text nor a list of texts`);
      }
      add(parameters, name, String(item));
    }
  }
  return parameters;
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

/** The media type without its parameters, in lower case; '' where there is none. */
export const mediaTypeOf = ({ headers }: Pick<FastifyRequest, 'headers'>): string =>
  (headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';

/**
 * The parameters in the body of an OAuth request: a form (RFC 6749 appendix B), or the same as a JSON object.
 * @throws HttpFailure 415 for another content type; IssuerFailure `Malformed`
 */
export const bodyParameters = (request: FastifyRequest): Parameters => {
  switch (mediaTypeOf(request)) {
    case 'application/x-www-form-urlencoded':
      return ofForm(textOf(request.body));
    case 'application/json':
      return ofJson(textOf(request.body));
    default:
      throw new HttpFailure(415, TEXTS[415] ?? '');
  }
};

/** The one value of a parameter; '' where it is left out. @throws IssuerFailure `Malformed` where it is repeated (RFC 6749 §3.2) */
export const single = (parameters: Parameters, name: string): string => {
  const values = parameters.get(name) ?? [];
  if (values.length > 1) throw malformed(`${name} is given more than once`);
  return values[0] ?? '';
};

/** The query of a request's URL, read as a form. */
export const queryParameters = ({ raw }: Pick<FastifyRequest, 'raw'>): URLSearchParams => {
  const url = raw.url ?? '';
  const at = url.indexOf('?');
  return new URLSearchParams(at < 0 ? '' : url.slice(at + 1));
};
