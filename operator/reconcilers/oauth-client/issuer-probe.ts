import type { OAuthClientSpec } from '../../api/oauth-client.ts';
import type { CredentialsFinding } from '../../domain/client/client-credentials.ts';
import {
  type DocumentReader,
  fetchIssuerKeys,
  fetchJwks,
} from '../../issuer/authentication/issuer-documents.ts';
import { OutboundError } from '../../ports/outbound.ts';

type Authentication = NonNullable<OAuthClientSpec['authentication']>;
const outcomeOf = async (
  found: Omit<CredentialsFinding, 'problem'>,
  what: string,
  check: Promise<unknown>,
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
  options: DocumentReader,
  { privateKeyJWT, trustedIssuers = [] }: Authentication,
  signal: AbortSignal,
): Promise<CredentialsFinding[]> => {
  const uri = privateKeyJWT?.jwksURI;
  const byURI =
    uri === undefined
      ? []
      : [outcomeOf({ method: 'privateKeyJWT' }, `jwksURI ${uri}`, fetchJwks(options, uri, { signal }))];
  const byIssuer = trustedIssuers.map(({ authority, audience, caFile }) => {
    const remark = `trusted issuer ${authority} is accepted with any audience (audience "*")`;
    const found = { method: 'trustedIssuer' as const, ...(audience === '*' && { remark }) };
    const check = fetchIssuerKeys(options, authority, { caFile, signal });
    return outcomeOf(found, `trusted issuer ${authority}`, check);
  });
  return Promise.all([...byURI, ...byIssuer]);
};
