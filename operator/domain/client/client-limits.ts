import type { OAuthClient } from '../../api/oauth-client.ts';

/** The limits of clients that state none of their own (spec §6, `limits.perClient`); 0: no limit, and for `burst` the rate's own. */
export interface DefaultLimits {
  readonly tokensPerSecond: number;
  readonly burst: number;
  readonly activeTokens: number;
}

/** How many issued tokens a client may get (spec §2.4). */
export interface ClientLimits {
  /** Over all replicas; undefined: no limit. */
  readonly rate: { readonly tokensPerSecond: number; readonly burst: number } | undefined;
  /** Tokens that are neither expired nor blacklisted; undefined: no limit. */
  readonly activeTokens: number | undefined;
}

const NO_LIMITS: ClientLimits = { rate: undefined, activeTokens: undefined };

/** The limits that apply to a client: each is its own if it has one, else the default. A default burst belongs to the default rate. */
export const limitsOf = ({ spec }: Pick<OAuthClient, 'spec'>, defaults: DefaultLimits): ClientLimits => {
  const own = spec.limits ?? {};
  const tokensPerSecond = own.tokensPerSecond ?? defaults.tokensPerSecond;
  const activeTokens = own.activeTokens ?? defaults.activeTokens;
  if (tokensPerSecond === 0 && activeTokens === 0) return NO_LIMITS;
  const defaultBurst = own.tokensPerSecond === undefined ? defaults.burst : 0;
  const burst = own.burst ?? (defaultBurst === 0 ? tokensPerSecond : defaultBurst);
  return {
    rate: tokensPerSecond === 0 ? undefined : { tokensPerSecond, burst },
    activeTokens: activeTokens === 0 ? undefined : activeTokens,
  };
};

/** Whether clients without limits of their own have any. */
export const areLimited = ({ tokensPerSecond, activeTokens }: DefaultLimits): boolean =>
  tokensPerSecond > 0 || activeTokens > 0;

/** Whether a client states its own limit. */
export const hasOwnLimit = ({ spec }: Pick<OAuthClient, 'spec'>): boolean =>
  (spec.limits?.tokensPerSecond ?? 0) > 0 || (spec.limits?.activeTokens ?? 0) > 0;
