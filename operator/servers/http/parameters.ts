import type { FastifyRequest } from 'fastify';
import { IssuerFailure } from '../../issuer/failure.ts';
import { mediaTypeOf, objectOf, textOf } from './body.ts';
import { HttpFailure } from './http-failure.ts';

/** The parameters of a request, each with its values in order; without a value means left out (RFC 6749 §3.2). */
export type Parameters = ReadonlyMap<string, readonly string[]>;

/** What all endpoints take, and no other name is ever repeated to a caller or the log: it might be anything. */
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
/** What may have several values (RFC 8707 §2). */
const LISTS: readonly string[] = ['audience', 'aud', 'resource'];

const nameOf = (name: string): string =>
  NAMES.includes(name) || LISTS.includes(name) ? name : 'a parameter';

/** More than any request has; each costs an entry. */
const MAX_PARAMETERS = 256;

const malformed = (message: string): IssuerFailure => new IssuerFailure('Malformed', message);

/** @throws IssuerFailure `Malformed` where a parameter is repeated (RFC 6749 §3.2) */
const collect = (entries: Iterable<readonly [string, string]>): Parameters => {
  const parameters = new Map<string, string[]>();
  for (const [name, value] of entries) {
    if (value === '') continue;
    const values = parameters.get(name);
    if (values && !LISTS.includes(name)) throw malformed(`${nameOf(name)} is given more than once`);
    if (values) values.push(value);
    else parameters.set(name, [value]);
    if (parameters.size > MAX_PARAMETERS) throw malformed('there are too many parameters');
  }
  return parameters;
};

/** The same as a JSON object: a text or a number, a list where there may be several. */
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
 * The parameters in the body of an OAuth request: a form (RFC 6749 appendix B), or the same as a JSON object.
 * @throws HttpFailure 415 for another content type; IssuerFailure `Malformed`
 */
export const bodyParameters = (request: Pick<FastifyRequest, 'headers' | 'body'>): Parameters => {
  switch (mediaTypeOf(request)) {
    case 'application/x-www-form-urlencoded':
      return collect(new URLSearchParams(textOf(request)));
    case 'application/json':
      return collect(entriesOf(objectOf(textOf(request))));
    default:
      throw new HttpFailure(415);
  }
};

/** The one value of a parameter; '' where it is left out. */
export const single = (parameters: Parameters, name: string): string => parameters.get(name)?.[0] ?? '';
