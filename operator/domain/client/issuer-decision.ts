import type { OAuthClient } from '../../api/oauth-client.ts';
import { type IssuerUrls, isOfAnotherIssuer, issuerOf } from './client-rules.ts';
import { type OtherInstallation, watches } from './installation.ts';

/** To which issuer a client belongs (spec §2.4, Issuer). */
export type IssuerDecision =
  | { readonly kind: 'own' }
  /** To be left alone. */
  | { readonly kind: 'other' }
  /** Several could have it: `candidates` are their URLs, sorted, so that all of them say the same. */
  | { readonly kind: 'undecided'; readonly candidates: readonly string[] };

export const OWN_CLIENT: IssuerDecision = { kind: 'own' };
const OTHER_CLIENT: IssuerDecision = { kind: 'other' };

/** Everything that is known of a client's issuer. */
export interface IssuerObservation {
  readonly client: OAuthClient;
  readonly urls: IssuerUrls;
  /** Those that run beside this installation. */
  readonly others: readonly OtherInstallation[];
  /** The kids that signed the client's Tokens and issued tokens; read only if there are others. */
  readonly kids: () => Iterable<string>;
  /** Whether a key of this installation has that kid. */
  readonly isOwnKid: (kid: string) => boolean;
}

/** Who signed the client's tokens. */
const signersOf = (
  { kids, isOwnKid }: IssuerObservation,
  rivals: readonly OtherInstallation[],
): { own: boolean; other: boolean } => {
  const found = { own: false, other: false };
  for (const kid of kids()) {
    if (isOwnKid(kid)) found.own = true;
    else if (rivals.some((rival) => rival.kids.has(kid))) found.other = true;
    if (found.own && found.other) break;
  }
  return found;
};

/**
 * Decides to which issuer a client belongs (docs/decisions/0022): what spec or status say counts. Else it belongs to the only
 * installation that watches its namespace; of several, to the one that alone has signed tokens of it. An earlier release, which does not
 * announce its URL, keeps what it has signed, and takes nothing from this installation. Pure.
 */
export const decideIssuer = (observation: IssuerObservation): IssuerDecision => {
  const { client, urls, others } = observation;
  if (issuerOf(client) !== undefined) return isOfAnotherIssuer(urls, client) ? OTHER_CLIENT : OWN_CLIENT;
  const rivals = others.filter((other) => watches(other, client.metadata.namespace));
  if (rivals.length === 0) return OWN_CLIENT;
  const signers = signersOf(observation, rivals);
  if (signers.own !== signers.other) return signers.own ? OWN_CLIENT : OTHER_CLIENT;
  const announced = rivals.flatMap(({ url }) => url ?? []);
  if (announced.length === 0) return OWN_CLIENT;
  return { kind: 'undecided', candidates: [...new Set([urls.url, ...announced])].sort() };
};
