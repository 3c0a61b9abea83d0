import { isSameButForSlash } from '../../domain/client/issuer-identity.ts';
import type { FindJwkProblem, PublicJwk } from '../../ports/keys.ts';
import { type FetchJson, type FetchOptions, OutboundError, UnreachableError } from '../../ports/outbound.ts';

export interface DocumentReader {
  readonly fetchJson: FetchJson;
  readonly findJwkProblem: FindJwkProblem;
}

/** Keys of one set that are used. Issuers publish a few, and each is imported. */
const MAX_KEYS = 64;

/** The most characters of a text of an issuer in a message, and the most problems of keys. */
const MAX_SHOWN = 128;
const MAX_PROBLEMS = 3;

const quoted = (text: string): string =>
  JSON.stringify(text.length <= MAX_SHOWN ? text : `${text.slice(0, MAX_SHOWN - 1)}…`);

const membersOf = (document: unknown, what: string): Record<string, unknown> => {
  if (typeof document === 'object' && document !== null && !Array.isArray(document)) {
    return document as Record<string, unknown>;
  }
  throw new OutboundError(`${what} is no JSON object`);
};

/** Fetches a document. @throws OutboundError that names the document, unless it is an UnreachableError, which says the same for all */
const fetchDocument = async (
  fetchJson: FetchJson,
  { what, url }: { readonly what: string; readonly url: string },
  target: FetchOptions,
): Promise<Record<string, unknown>> => {
  const document = await fetchJson(url, target).catch((error: unknown) => {
    if (!(error instanceof OutboundError) || error instanceof UnreachableError) throw error;
    throw new OutboundError(`${what}: ${error.message}`, { cause: error });
  });
  return membersOf(document, what);
};

/** Why no key of a set can be used; `keys` are all of them. */
const describeUnusable = (keys: readonly unknown[], findJwkProblem: FindJwkProblem): string => {
  const shown = keys.slice(0, MAX_PROBLEMS).map((key, at) => `key ${at}: ${findJwkProblem(key)}`);
  const more = keys.length > shown.length ? ` and ${keys.length - shown.length} more` : '';
  return shown.length === 0 ? 'it is empty' : `${shown.join(', ')}${more}`;
};

/**
 * Fetches the usable keys of a JWKS; others are ignored (RFC 7517 §5).
 * @throws OutboundError if there is none
 */
export const fetchJwks = async (
  { fetchJson, findJwkProblem }: DocumentReader,
  uri: string,
  target: FetchOptions,
): Promise<readonly PublicJwk[]> => {
  const { keys } = await fetchDocument(fetchJson, { what: 'the JWKS', url: uri }, target);
  if (!Array.isArray(keys)) throw new OutboundError('the JWKS has no list of keys');
  const usable = keys.slice(0, MAX_KEYS).filter((key) => findJwkProblem(key) === undefined);
  if (usable.length === 0) {
    const why = describeUnusable(keys, findJwkProblem);
    throw new OutboundError(`the JWKS has no key that can verify: ${why}`);
  }
  return usable as PublicJwk[];
};

/** What an OpenID provider publishes. */
interface IssuerKeys {
  /** As the discovery document has it. */
  readonly issuer: string;
  readonly keys: readonly PublicJwk[];
}

/**
 * Fetches the keys of an OpenID provider. The issuer in its discovery document must be the authority (OpenID Connect Discovery 1.0 §4.3),
 * but for one slash at the end (docs/decisions/0024).
 * @throws OutboundError
 */
export const fetchIssuerKeys = async (
  reader: DocumentReader,
  authority: string,
  target: FetchOptions,
): Promise<IssuerKeys> => {
  const url = `${authority.replace(/\/$/u, '')}/.well-known/openid-configuration`;
  const what = 'the discovery document';
  const { issuer, jwks_uri: jwksURI } = await fetchDocument(reader.fetchJson, { what, url }, target);
  if (typeof issuer !== 'string') throw new OutboundError('the discovery document has no issuer');
  if (!isSameButForSlash(issuer, authority)) {
    throw new OutboundError(
      `the issuer in the discovery document is another: ${quoted(issuer)}, expected ${quoted(authority)}`,
    );
  }
  if (typeof jwksURI !== 'string') throw new OutboundError('the discovery document has no jwks_uri');
  return { issuer, keys: await fetchJwks(reader, jwksURI, target) };
};
