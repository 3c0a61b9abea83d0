import type { OAuthClientSpec } from '../../api/oauth-client.ts';
import { isThisIssuer } from './client-rules.ts';
import { isSameButForSlash } from './issuer-identity.ts';

type Authentication = NonNullable<OAuthClientSpec['authentication']>;
/** An entry of `spec.authentication.trustedIssuers`. */
type TrustedIssuer = NonNullable<Authentication['trustedIssuers']>[number];

/** An issuer whose bearers the configuration trusts (spec §6, `authorization.endpoints`). */
interface BearerEndpoint {
  readonly authority: string;
  readonly audience: string;
  /** Whether its bearers may be assertions too. */
  readonly alsoAssertions?: boolean | undefined;
}

/** The configuration that decides whom an OAuthClient may trust. */
export interface TrustSettings {
  /** `issuer.url`. */
  readonly issuerUrl: string;
  /** `issuer.previousURLs`; absent: none. */
  readonly previousURLs?: readonly string[] | undefined;
  readonly endpoints: readonly BearerEndpoint[];
}

/** The longest URL and the most names in a message, so that every part of a condition has room. */
const MAX_SHOWN = 64;
const MAX_NAMED = 3;

/** A URL for a message. */
export const shownUrl = (url: string): string =>
  url.length <= MAX_SHOWN ? url : `${url.slice(0, MAX_SHOWN - 1)}…`;

/** What keeps an entry from being trusted, whatever the issuer answers; undefined if nothing does. */
export const findTrustProblem = (
  { authority, audience }: TrustedIssuer,
  { issuerUrl, previousURLs = [], endpoints }: TrustSettings,
): string | undefined => {
  const what = `trusted issuer ${shownUrl(authority)}`;
  if (isThisIssuer({ url: issuerUrl, previousURLs }, authority)) {
    return `${what} is this issuer (issuer.url): its tokens are no assertions, remove the entry`;
  }
  const isBearer = endpoints.some(
    (endpoint) =>
      isSameButForSlash(endpoint.authority, authority) &&
      endpoint.alsoAssertions !== true &&
      (endpoint.audience === audience || endpoint.audience === '*'),
  );
  return isBearer
    ? `${what}: its tokens for this audience are bearers (authorization.endpoints), which are no assertions: use another audience, or set alsoAssertions there`
    : undefined;
};

const named = (issuers: readonly TrustedIssuer[]): string => {
  const shown = issuers.slice(0, MAX_NAMED).map(({ authority }) => shownUrl(authority));
  const more = issuers.length - shown.length;
  return `${shown.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
};

/** What makes an issuer be trusted with much. */
const BROAD: readonly (readonly [text: string, isBroad: (issuer: TrustedIssuer) => boolean])[] = [
  [
    'any audience is accepted, also of tokens for other services (audience "*")',
    ({ audience }) => audience === '*',
  ],
  [
    'every subject is accepted (no requiredClaims)',
    ({ requiredClaims = {} }) => Object.keys(requiredClaims).length === 0,
  ],
  [
    'its owners can be those of other issuers and clients (empty ownerPrefix)',
    ({ ownerPrefix = '' }) => ownerPrefix === '',
  ],
];

/** What an administrator should know about the issuers that a client trusts, one sentence for each kind (spec §2.4). */
export const trustRemarks = ({ trustedIssuers = [] }: Authentication): string[] =>
  BROAD.flatMap(([text, isBroad]) => {
    const broad = trustedIssuers.filter(isBroad);
    return broad.length === 0 ? [] : [`${text} from ${named(broad)}`];
  });
