import type { OAuthClientSpec } from '../../api/oauth-client.ts';
import type { CredentialsFinding } from '../../domain/client/client-credentials.ts';
import { findTrustProblem, shownUrl, type TrustSettings } from '../../domain/client/trusted-issuer.ts';
import {
  type DocumentReader,
  fetchIssuerKeys,
  fetchJwks,
} from '../../issuer/authentication/issuer-documents.ts';
import type { IsOwnKey } from '../../issuer/keys/own-keys.ts';
import type { PublicJwk } from '../../ports/keys.ts';
import { OutboundError, UnreachableError } from '../../ports/outbound.ts';

type Authentication = NonNullable<OAuthClientSpec['authentication']>;

export interface IssuerProbeOptions extends DocumentReader {
  readonly trust: TrustSettings;
  readonly isOwnKey: IsOwnKey;
  /** Gets why something is unreachable, which the condition does not say. */
  readonly onUnreachable: (error: UnreachableError) => void;
}

/** One text for every cause: who may create a client must not learn from it which hosts, ports and files there are. */
const UNREACHABLE =
  "unreachable: its address can not be reached or is not allowed, its certificate or the caFile is not accepted, or it did not answer in time; the operator's log has the cause";

type Method = CredentialsFinding['method'];
type Reason = NonNullable<CredentialsFinding['problem']>['reason'];

const failed = (method: Method, reason: Reason, message: string): CredentialsFinding => ({
  method,
  problem: { reason, message },
});

/** Fetches keys, and says what is wrong with them. @throws the signal's reason */
const findingOf = async (
  { isOwnKey, onUnreachable }: IssuerProbeOptions,
  { method, what }: { method: Method; what: string },
  fetching: Promise<{ readonly keys: readonly PublicJwk[]; readonly remark?: string | undefined }>,
): Promise<CredentialsFinding> => {
  try {
    const { keys, remark } = await fetching;
    if (!keys.some(isOwnKey)) return { method, ...(remark !== undefined && { remark }) };
    const message = `${what} has a key of this issuer in its JWKS: what this issuer signs is no assertion`;
    return failed(method, 'IssuerNotAllowed', message);
  } catch (error) {
    if (!(error instanceof OutboundError)) throw error;
    if (error instanceof UnreachableError) onUnreachable(error);
    const why = error instanceof UnreachableError ? UNREACHABLE : error.message;
    return failed(method, 'IssuerUnreachable', `${what}: ${why}`);
  }
};

/** Asks everything outside of the cluster that a client's authentication relies on: its `jwksURI`, and the discovery documents and keys of its trusted issuers. An issuer that may not be trusted is not asked. @throws the signal's reason */
export const probeIssuers = (
  options: IssuerProbeOptions,
  { privateKeyJWT, trustedIssuers = [] }: Authentication,
  signal: AbortSignal,
): Promise<CredentialsFinding[]> => {
  const uri = privateKeyJWT?.jwksURI;
  const about = { method: 'privateKeyJWT' as const, what: `jwksURI ${shownUrl(uri ?? '')}` };
  const byURI =
    uri === undefined
      ? []
      : [
          findingOf(
            options,
            about,
            fetchJwks(options, uri, { signal }).then((keys) => ({ keys })),
          ),
        ];
  const byIssuer = trustedIssuers.map(async (issuer) => {
    const method = 'trustedIssuer' as const;
    const problem = findTrustProblem(issuer, options.trust);
    if (problem !== undefined) return failed(method, 'IssuerNotAllowed', problem);
    const { authority, caFile } = issuer;
    const what = `trusted issuer ${shownUrl(authority)}`;
    const fetching = fetchIssuerKeys(options, authority, { caFile, signal });
    return findingOf(
      options,
      { method, what },
      fetching.then(({ issuer, keys }) => {
        // The same but for a slash, which users look for when something else does not fit.
        const remark =
          issuer === authority ? undefined : `${what} calls itself ${shownUrl(issuer)}: iss may be either`;
        return { keys, remark };
      }),
    );
  });
  return Promise.all([...byURI, ...byIssuer]);
};
