import { findCondition } from '../../api/meta.ts';
import type { OAuthClient } from '../../api/oauth-client.ts';
import type { IssuerSettings } from '../jwt/claims.ts';
import { isSameIssuer } from './issuer-identity.ts';

/** The URLs of one issuer: the one with which it signs, and those that it had before. */
export type IssuerUrls = Pick<IssuerSettings, 'url' | 'previousURLs'>;

/** Whether a URL is the issuer's, now or before. URLs are compared as texts. */
export const isIssuerUrl = ({ url, previousURLs = [] }: IssuerUrls, other: unknown): boolean =>
  other === url || previousURLs.some((previous) => previous === other);

/** Whether a URL names this issuer, however it is written: for what must not be trusted, where likeness is enough. */
export const isThisIssuer = ({ url, previousURLs = [] }: IssuerUrls, other: string): boolean =>
  isSameIssuer(other, url) || previousURLs.some((previous) => isSameIssuer(other, previous));

/** The issuer to which a client belongs (spec §2.4): the one that its spec chooses, else the one that registered it; undefined if neither is known yet. */
export const issuerOf = ({ spec, status }: OAuthClient): string | undefined => spec.issuer ?? status?.issuer;

/** Whether a client belongs to another issuer, so that this one leaves it, its Tokens and its records alone. */
export const isOfAnotherIssuer = (urls: IssuerUrls, client: OAuthClient): boolean => {
  const issuer = issuerOf(client);
  return issuer !== undefined && !isIssuerUrl(urls, issuer);
};

/** Whether several installations could take a client and none has: `spec.issuer` has to say which. */
export const isUndecided = ({ status }: OAuthClient): boolean =>
  findCondition(status?.conditions, 'Ready')?.reason === 'IssuerUndecided';
