import type { FastifyRequest } from 'fastify';
import { IssuerFailure } from '../../issuer/failure.ts';
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

const [QUOTE, BACKSLASH, COLON] = ['"', '\\', ':'] as const;

/** How many members the object in a JSON text is written with. */
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

/**
 * The JSON object in a text, each of whose members is named once (RFC 8259 §4): somebody before us may have read the other one.
 * @throws IssuerFailure `Malformed` where there is none
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
