import type { FastifyRequest } from 'fastify';
import { IssuerFailure } from '../../issuer/failure.ts';
import { HttpFailure } from './http-failure.ts';

type WithHeaders = Pick<FastifyRequest, 'headers'>;
type WithBody = Pick<FastifyRequest, 'headers' | 'body'>;

const malformed = (message: string): IssuerFailure => new IssuerFailure('Malformed', message);

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** The media type without its parameters, in lower case; '' if there is none. */
export const mediaTypeOf = ({ headers }: WithHeaders): string =>
  (headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';

/** The body as text. @throws HttpFailure 415 if it has a content coding (RFC 9110 §15.5.16); IssuerFailure `Malformed` if it is not UTF-8 */
export const textOf = ({ headers, body }: WithBody): string => {
  const coding = headers['content-encoding']?.trim().toLowerCase() ?? '';
  if (!['', 'identity'].includes(coding)) throw new HttpFailure(415);
  if (!(body instanceof Uint8Array)) return '';
  try {
    return utf8.decode(body);
  } catch {
    throw malformed('the body is not UTF-8');
  }
};

const [QUOTE, BACKSLASH, COLON] = ['"', '\\', ':'] as const;

/** The number of members, duplicates included, of the object in a valid JSON text. */
const countMembers = (json: string): number => {
  let [depth, count, isInString] = [0, 0, false];
  for (let at = 0; at < json.length; at += 1) {
    const character = json[at] ?? '';
    if (isInString) {
      if (character === BACKSLASH) at += 1;
      else if (character === QUOTE) isInString = false;
    } else if (character === QUOTE) isInString = true;
    else if (character === '{' || character === '[') depth += 1;
    else if (character === '}' || character === ']') depth -= 1;
    else if (character === COLON && depth === 1) count += 1;
  }
  return count;
};

const isJson = (text: string): boolean => {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
};

/**
 * The JSON object in a text. Duplicate member names are rejected (RFC 8259 §4): a proxy in front of this server may have read the
 * other one. @throws IssuerFailure `Malformed`
 */
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
  if (countMembers(text) !== Object.keys(value).length) {
    throw malformed('the body names a member more than once');
  }
  return value as Readonly<Record<string, unknown>>;
};

/** Request parameters, each with its values in order. A parameter without a value counts as absent (RFC 6749 §3.2). */
export type Parameters = ReadonlyMap<string, readonly string[]>;

/** The parameters of all endpoints. Other names are never repeated in an error or the log: they may hold a secret. */
const NAMES: readonly string[] = [
  'grant_type',
  'scope',
  'expiration',
  'token_name',
  'token',
  'token_type_hint',
  'client_id',
  'client_secret',
  'client_assertion_type',
  'client_assertion',
];
/** Parameters that may be repeated (RFC 8707 §2). */
const REPEATABLE: readonly string[] = ['audience', 'aud', 'resource'];

const nameOf = (name: string): string =>
  NAMES.includes(name) || REPEATABLE.includes(name) ? name : 'a parameter';

/** More distinct parameters than any request has. */
const MAX_PARAMETERS = 256;

/** @throws IssuerFailure `Malformed` if a parameter is repeated (RFC 6749 §3.2) */
const collect = (entries: Iterable<readonly [string, string]>): Parameters => {
  const parameters = new Map<string, string[]>();
  for (const [name, value] of entries) {
    if (value === '') continue;
    const values = parameters.get(name);
    if (values && !REPEATABLE.includes(name)) throw malformed(`${nameOf(name)} is given more than once`);
    if (values) values.push(value);
    else parameters.set(name, [value]);
    if (parameters.size > MAX_PARAMETERS) throw malformed('there are too many parameters');
  }
  return parameters;
};

/** The parameters in a JSON object: each a string or a number, or a list of these. */
function* entriesOf(object: Readonly<Record<string, unknown>>): Generator<readonly [string, string]> {
  for (const [name, value] of Object.entries(object)) {
    const values: unknown[] = Array.isArray(value) ? value : [value];
    for (const item of values) {
      if (item === null) continue;
      if (typeof item !== 'string' && typeof item !== 'number') {
        throw malformed(`${nameOf(name)} is neither a text nor a list of texts`);
      }
      yield [name, String(item)];
    }
  }
}

/**
 * The parameters in the body of a request to an OAuth endpoint: a form (RFC 6749 appendix B), or the same as a JSON object, which many
 * clients send without a content type or with another one. @throws HttpFailure 415 for a body that is neither; IssuerFailure `Malformed`
 */
export const parametersOf = (request: WithBody): Parameters => {
  const type = mediaTypeOf(request);
  if (type === 'application/x-www-form-urlencoded') return collect(new URLSearchParams(textOf(request)));
  if (type.startsWith('multipart/')) throw new HttpFailure(415);
  const text = textOf(request);
  if (type !== 'application/json' && !isJson(text)) throw new HttpFailure(415);
  return collect(entriesOf(objectOf(text)));
};

/** The value of a parameter that can't be repeated; '' if it is absent. */
export const single = (parameters: Parameters, name: string): string => parameters.get(name)?.[0] ?? '';
