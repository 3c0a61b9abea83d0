import type { OAuthClientSpec } from '../api/oauth-client.ts';
import type { CredentialsFinding } from '../domain/client-credentials.ts';
import type { FindJwkProblem } from '../ports/keys.ts';
import { type FetchJson, OutboundError } from '../ports/outbound.ts';

export interface IssuerProbeOptions {
  readonly fetchJson: FetchJson;
  readonly findJwkProblem: FindJwkProblem;
}

type Authentication = NonNullable<OAuthClientSpec['authentication']>;
type TrustedIssuer = NonNullable<Authentication['trustedIssuers']>[number];
type Target = { readonly caFile?: string | undefined; readonly signal: AbortSignal };

const membersOf = (document: unknown, what: string): Record<string, unknown> => {
  if (typeof document === 'object' && document !== null && !Array.isArray(document)) {
    return document as Record<string, unknown>;
  }
  throw new OutboundError(`${what} is no JSON object`);
};

/** RFC 7517 §5: keys that can't be used are passed over; none that can is a fault. */
const checkJwks = async (options: IssuerProbeOptions, uri: string, target: Target): Promise<void> => {
  const { keys } = membersOf(await options.fetchJson(uri, target), 'the JWKS');
  if (!Array.isArray(keys)) throw new OutboundError('the JWKS has no list of keys');
  if (!keys.some((key) => options.findJwkProblem(key) === undefined)) {
    throw new OutboundError('the JWKS has no key that can verify');
  }
};

/** OpenID Connect Discovery 1.0 §4.1 and §4.3: the issuer in the document is the same string as the authority. */
const checkDiscovery = async (
  options: IssuerProbeOptions,
  { authority }: TrustedIssuer,
  target: Target,
): Promise<void> => {
  const url = `${authority.replace(/\/$/u, '')}/.well-known/openid-configuration`;
  const { issuer, jwks_uri: jwksURI } = membersOf(
    await options.fetchJson(url, target),
    'the discovery document',
  );
  if (issuer !== authority) throw new OutboundError('the issuer in the discovery document is another');
  if (typeof jwksURI !== 'string') throw new OutboundError('the discovery document has no jwks_uri');
  await checkJwks(options, jwksURI, target);
};

const outcomeOf = async (
  found: Omit<CredentialsFinding, 'problem'>,
  what: string,
  check: Promise<void>,
): Promise<CredentialsFinding> => {
  try {
    await check;
    return found;
  } catch (error) {
    if (!(error instanceof OutboundError)) throw error;
    const problem = { reason: 'IssuerUnreachable' as const, message: `${what}: ${error.message}` };
    return { method: found.method, problem };
  }
};

/** Asks everything outside of the cluster that a client's authentication relies on: its `jwksURI`, and the discovery documents and keys of its trusted issuers. @throws the signal's reason */
export const probeIssuers = (
  options: IssuerProbeOptions,
  { privateKeyJWT, trustedIssuers = [] }: Authentication,
  signal: AbortSignal,
): Promise<CredentialsFinding[]> => {
  const uri = privateKeyJWT?.jwksURI;
  const byURI =
    uri === undefined
      ? []
      : [outcomeOf({ method: 'privateKeyJWT' }, `jwksURI ${uri}`, checkJwks(options, uri, { signal }))];
  const byIssuer = trustedIssuers.map((issuer) => {
    const { authority, audience, caFile } = issuer;
    const remark = `trusted issuer ${authority} is believed for any audience (audience "*")`;
    const found = { method: 'trustedIssuer' as const, ...(audience === '*' && { remark }) };
    const check = checkDiscovery(options, issuer, { caFile, signal });
    return outcomeOf(found, `trusted issuer ${authority}`, check);
  });
  return Promise.all([...byURI, ...byIssuer]);
};
