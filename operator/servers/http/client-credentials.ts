import type { Awaitable } from '../../async/map-awaitable.ts';
import { IssuerFailure, refused } from '../../issuer/failure.ts';
import type { ClientCredentials } from '../../issuer/use-cases.ts';
import { type Parameters, single } from './body.ts';

interface Basic {
  readonly id: string;
  readonly secret: string;
}

const NONE: ClientCredentials = { clientID: '', clientSecret: '', assertionType: '', assertion: '' };

const BASIC = /^basic +([A-Za-z0-9+/]+={0,2})$/iu;
const utf8 = new TextDecoder('utf-8', { fatal: true });

const splitBasic = (encoded: string): Basic | undefined => {
  try {
    const text = utf8.decode(Buffer.from(encoded, 'base64'));
    const colon = text.indexOf(':');
    return colon < 0 ? undefined : { id: text.slice(0, colon), secret: text.slice(colon + 1) };
  } catch {
    return undefined;
  }
};

const isEncoded = (text: string): boolean => text.includes('%') || text.includes('+');

/** Decodes both parts as form values (RFC 6749 §2.3.1). Undefined if they are not encoded so. */
const decodeForm = ({ id, secret }: Basic): Basic | undefined => {
  if (!isEncoded(id) && !isEncoded(secret)) return { id, secret };
  const decode = (text: string): string => decodeURIComponent(text.replaceAll('+', ' '));
  try {
    return { id: decode(id), secret: decode(secret) };
  } catch {
    return undefined;
  }
};

const isSame = (a: Basic, b: Basic): boolean => a.id === b.id && a.secret === b.secret;

/** The readings of a Basic header: decoded, then raw if that differs, for clients that omit the encoding. */
const readingsOf = (authorization: string): Basic[] => {
  const encoded = BASIC.exec(authorization)?.[1];
  const raw = encoded === undefined ? undefined : splitBasic(encoded);
  if (raw === undefined) throw refused('invalid_client', 'the Authorization header is no Basic credentials');
  const decoded = decodeForm(raw);
  if (decoded === undefined || isSame(decoded, raw)) return [raw];
  return [decoded, raw];
};

const isBasic = (authorization: string | undefined): authorization is string =>
  authorization !== undefined && /^basic(?: |$)/iu.test(authorization);

/**
 * The credentials of a request, by one method only (RFC 6749 §2.3); a Bearer header is ignored. There are two if a Basic header has
 * two readings, in the order in which to try them.
 * @throws IssuerFailure
 */
export const credentialsOf = (
  authorization: string | undefined,
  parameters: Parameters,
): readonly ClientCredentials[] => {
  const body: ClientCredentials = {
    clientID: single(parameters, 'client_id'),
    clientSecret: single(parameters, 'client_secret'),
    assertionType: single(parameters, 'client_assertion_type'),
    assertion: single(parameters, 'client_assertion'),
  };
  if (body.clientSecret !== '' && body.assertion !== '') {
    throw refused('invalid_request', 'more than one way of client authentication is used');
  }
  if (!isBasic(authorization)) return [body];
  if (body.clientSecret !== '' || body.assertion !== '') {
    throw refused('invalid_request', 'more than one way of client authentication is used');
  }
  const readings = readingsOf(authorization);
  const fitting = readings.filter(({ id }) => body.clientID === '' || body.clientID === id);
  if (fitting.length === 0) {
    throw refused('invalid_request', 'client_id differs from the one in the Authorization header');
  }
  return fitting.map(({ id, secret }) => ({ ...NONE, clientID: id, clientSecret: secret }));
};

const isInvalidClient = (error: unknown): boolean =>
  error instanceof IssuerFailure && error.oauthCode === 'invalid_client';

/** Calls with each candidate until one is not rejected as `invalid_client`. @throws what the last call throws */
export const withCredentials = <T>(
  candidates: readonly ClientCredentials[],
  call: (credentials: ClientCredentials) => Awaitable<T>,
): Awaitable<T> => {
  const [first = NONE] = candidates;
  return candidates.length > 1 ? withEach(candidates, call) : call(first);
};

const withEach = async <T>(
  [first = NONE, ...rest]: readonly ClientCredentials[],
  call: (credentials: ClientCredentials) => Awaitable<T>,
): Promise<T> => {
  try {
    return await call(first);
  } catch (error) {
    if (rest.length === 0 || !isInvalidClient(error)) throw error;
    return withCredentials(rest, call);
  }
};
