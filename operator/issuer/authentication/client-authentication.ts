import type { ObjectRef } from '../../api/meta.ts';
import type { OAuthClient } from '../../api/oauth-client.ts';
import { isOfAnotherIssuer } from '../../domain/client/client-rules.ts';
import type { IssuerSettings } from '../../domain/jwt/claims.ts';
import type { Cache } from '../../ports/cache.ts';
import type { MonotonicClock } from '../../ports/clock.ts';
import type { Freshness } from '../../ports/freshness.ts';
import type { ThumbprintOf } from '../../ports/keys.ts';
import type { Log } from '../../ports/log.ts';
import type { Metrics } from '../../ports/metrics.ts';
import type { Secret } from '../../ports/secrets.ts';
import type { Keyring } from '../../ports/signing.ts';
import type { ReviewToken } from '../../ports/token-reviews.ts';
import { createIsOwnKey } from '../keys/own-keys.ts';
import type { Reader } from '../registry/live-reads.ts';
import type { RequestQueues } from '../request-queues.ts';
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
import type { TrustedEndpoint } from './trusted-endpoints.ts';
import { createTrustedIssuers } from './trusted-issuers.ts';

export interface ClientAuthenticationOptions extends DocumentReader {
  /** Indexed by `CLIENT_ID_INDEX`. */
  readonly clients: Pick<Cache<OAuthClient>, 'byIndex' | 'synced' | 'values' | 'onChange'>;
  readonly freshness: Pick<Freshness, 'clients'>;
  /** Whether the API server denies the operator the clients of a namespace. Absent: never. */
  readonly isDenied?: (namespace: string) => boolean;
  readonly readClient: (ref: ObjectRef, reader: Reader) => Promise<OAuthClient | undefined>;
  readonly readSecret: (ref: ObjectRef, signal: AbortSignal) => Promise<Secret | undefined>;
  readonly reviewToken: ReviewToken;
  readonly settings: Pick<IssuerSettings, 'url' | 'previousURLs' | 'ownerClaim' | 'deviceIDClaim'>;
  /** The external issuers whose bearers are trusted: their bearers are no assertions. */
  readonly endpoints: readonly TrustedEndpoint[];
  readonly thumbprintOf: ThumbprintOf;
  readonly keyring: Pick<Keyring, 'phase'>;
  readonly queues: Pick<RequestQueues, 'beyondFailureLimit' | 'reviews' | 'signatures'>;
  readonly clock: MonotonicClock;
  readonly log: Log;
  readonly metrics: Pick<Metrics, 'authenticationFailed'>;
}

/** Client authentication, with the parts that other use cases share: the failure limit, and the keys of external issuers. */
export interface ClientAuthentication {
  readonly authenticateClient: AuthenticateClient;
  readonly failures: AuthenticationFailures;
  readonly externalIssuers: ExternalIssuers;
  /** Stops following the clients, and drops the cached digests of their secrets. */
  stop(): void;
}

/** Wires all methods of client authentication. Nothing is read or fetched before the first request. */
export const createClientAuthentication = (options: ClientAuthenticationOptions): ClientAuthentication => {
  const { clients, clock, fetchJson, findJwkProblem, freshness, log, metrics, settings } = options;
  const { readClient, readSecret, reviewToken, endpoints, thumbprintOf, keyring, queues } = options;
  const isOwnKid = (kid: string): boolean => keyring.phase(kid) !== undefined;
  const isOwnKey = createIsOwnKey({ thumbprintOf, isOwnKid });
  const limit = createFailureLimit({ clock });
  const failures = createAuthenticationFailures({ limit, log, metrics });
  const secrets = createClientSecrets({ clients, readSecret, clock });
  const keys = createRemoteKeys({ fetchJson, findJwkProblem, isOwnKey, clock, log });
  const { url: issuerUrl, previousURLs } = settings;
  const externalIssuers = createExternalIssuers({ keys, issuerUrl, previousURLs, clock });
  const authenticateClient = createAuthenticateClient({
    clients,
    freshness,
    readClient,
    isOfAnother: (client) => isOfAnotherIssuer(settings, client),
    ...(options.isDenied && { isDenied: options.isDenied }),
    secrets,
    assertions: [
      createPrivateKeyJwt({ issuerUrl: settings.url, findJwkProblem, isOwnKey, keys, clock }),
      createTrustedIssuers({
        issuers: externalIssuers,
        settings,
        endpoints,
        clock,
      }),
      createServiceAccounts({
        issuerUrl: settings.url,
        isOwnKid,
        endpoints,
        reviewToken,
        queue: queues.reviews,
        clock,
      }),
    ],
    limit,
    failures,
    signatures: queues.signatures,
    queue: queues.beyondFailureLimit,
  });
  return { authenticateClient, failures, externalIssuers, stop: () => secrets.stop() };
};
