import type { FindJwkProblem, PublicJwk } from '../../ports/keys.ts';
import { type FetchJson, type FetchOptions, OutboundError } from '../../ports/outbound.ts';

export interface DocumentReader {
  readonly fetchJson: FetchJson;
  readonly findJwkProblem: FindJwkProblem;
}

/** Keys of one set that are used. Issuers publish a few, and each is imported. */
const MAX_KEYS = 64;

const membersOf = (document: unknown, what: string): Record<string, unknown> => {
  if (typeof document === 'object' && document !== null && !Array.isArray(document)) {
    return document as Record<string, unknown>;
  }
  throw new OutboundError(`${what} is no JSON object`);
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
  const { keys } = membersOf(await fetchJson(uri, target), 'the JWKS');
  if (!Array.isArray(keys)) throw new OutboundError('the JWKS has no list of keys');
  const usable = keys.slice(0, MAX_KEYS).filter((key) => findJwkProblem(key) === undefined);
  if (usable.length === 0) throw new OutboundError('the JWKS has no key that can verify');
  return usable as PublicJwk[];
};

/**
 * Fetches the keys of an OpenID provider. The issuer in its discovery document must be the same string as the authority (OpenID Connect
 * Discovery 1.0 §4.3).
 * @throws OutboundError
 */
export const fetchIssuerKeys = async (
  reader: DocumentReader,
  authority: string,
  target: FetchOptions,
): Promise<readonly PublicJwk[]> => {
  const url = `${authority.replace(/\/$/u, '')}/.well-known/openid-configuration`;
  const { issuer, jwks_uri: jwksURI } = membersOf(
    await reader.fetchJson(url, target),
    'the discovery document',
  );
  if (issuer !== authority) throw new OutboundError('the issuer in the discovery document is another');
  if (typeof jwksURI !== 'string') throw new OutboundError('the discovery document has no jwks_uri');
  return fetchJwks(reader, jwksURI, target);
};
