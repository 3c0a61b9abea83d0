import type { ObjectRef } from '../../api/meta.ts';
import type { OAuthClient } from '../../api/oauth-client.ts';
import type { IssuerSettings } from '../../domain/jwt/claims.ts';
import type { Cache } from '../../ports/cache.ts';
import type { MonotonicClock } from '../../ports/clock.ts';
import type { Freshness } from '../../ports/freshness.ts';
import type { Log } from '../../ports/log.ts';
import type { Metrics } from '../../ports/metrics.ts';
import type { Secret } from '../../ports/secrets.ts';
import type { ReviewToken } from '../../ports/token-reviews.ts';
import type { AuthenticateClient } from '../use-cases.ts';
import { createAuthenticateClient } from './authenticate-client.ts';
import { type AuthenticationFailures, createAuthenticationFailures } from './authentication-failures.ts';
import { createClientSecrets } from './client-secrets.ts';
import { createExternalIssuers, type ExternalIssuers } from './external-issuers.ts';
import { createFailureLimit } from './failure-limit.ts';
import type { DocumentReader } from './issuer-documents.ts';
import { createPrivateKeyJwt } from './private-key-jwt.ts';
import { createRemoteKeys } from './remote-keys.ts';
import { createServiceAccounts } from './service-accounts.ts';
import { createTrustedIssuers } from './trusted-issuers.ts';

export interface ClientAuthenticationOptions extends DocumentReader {
  /** Indexed by `CLAIM_INDEX`. */
  readonly clients: Pick<Cache<OAuthClient>, 'byIndex' | 'synced' | 'onChange'>;
  readonly freshness: Pick<Freshness, 'clients'>;
  readonly readClient: (ref: ObjectRef, signal: AbortSignal) => Promise<OAuthClient | undefined>;
  readonly readSecret: (ref: ObjectRef, signal: AbortSignal) => Promise<Secret | undefined>;
  readonly reviewToken: ReviewToken;
  readonly settings: Pick<IssuerSettings, 'url' | 'ownerClaim'>;
  readonly clock: MonotonicClock;
  readonly log: Log;
  readonly metrics: Pick<Metrics, 'authenticationFailed'>;
}

/** Client authentication, and what of it others share: one limit of failures, one cache of other issuers' keys. */
export interface ClientAuthentication {
  readonly authenticateClient: AuthenticateClient;
  readonly failures: AuthenticationFailures;
  readonly externalIssuers: ExternalIssuers;
  /** Follows the clients no more, and forgets what was read of their secrets. */
  stop(): void;
}

/** Puts every way in which a client may prove itself together. Nothing is read or fetched before it is asked for. */
export const createClientAuthentication = (options: ClientAuthenticationOptions): ClientAuthentication => {
  const { clock, findJwkProblem, settings } = options;
  const limit = createFailureLimit({ clock });
  const failures = createAuthenticationFailures({ ...options, limit });
  const secrets = createClientSecrets(options);
  const keys = createRemoteKeys(options);
  const externalIssuers = createExternalIssuers({ keys, clock });
  const authenticateClient = createAuthenticateClient({
    ...options,
    secrets,
    assertions: [
      createPrivateKeyJwt({ issuerUrl: settings.url, findJwkProblem, keys, clock }),
      createTrustedIssuers({ issuers: externalIssuers, ownerClaim: settings.ownerClaim }),
      createServiceAccounts({ ...options, issuerUrl: settings.url }),
    ],
    limit,
    failures,
  });
  return { authenticateClient, failures, externalIssuers, stop: () => secrets.stop() };
};
