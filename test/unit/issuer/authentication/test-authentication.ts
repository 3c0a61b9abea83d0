import type { OAuthClient } from '../../../../operator/api/oauth-client.ts';
import { findJwkProblem, thumbprintOf } from '../../../../operator/crypto/public-jwk.ts';
import {
  type ClientAuthentication,
  type ClientAuthenticationOptions,
  createClientAuthentication,
} from '../../../../operator/issuer/authentication/client-authentication.ts';
import { createRequestQueues } from '../../../../operator/issuer/request-queues.ts';
import type { FakeClock } from '../../../support/fake-clock.ts';
import { recordedLog, recordedMetrics } from '../../../support/quiet.ts';
import { cacheOf, ISSUER } from '../clients.ts';

/** Authentication as it is wired, of these clients in a fresh cache; nothing outside of it answers but `readSecret`. */
export const testAuthentication = ({
  clients,
  clock,
  readSecret = async () => undefined,
}: {
  readonly clients: readonly OAuthClient[];
  readonly clock: FakeClock;
  readonly readSecret?: ClientAuthenticationOptions['readSecret'];
}): ClientAuthentication => {
  const [log, metrics] = [recordedLog(), recordedMetrics()];
  return createClientAuthentication({
    clients: cacheOf(...clients),
    freshness: { clients: () => true },
    readClient: async () => undefined,
    readSecret,
    reviewToken: async () => ({ authenticated: false, username: '', audiences: [] }),
    fetchJson: () => Promise.reject(new Error('nothing is fetched')),
    findJwkProblem,
    thumbprintOf,
    keyring: { phase: () => undefined },
    endpoints: [],
    settings: { url: ISSUER, ownerClaim: 'sub', deviceIDClaim: '' },
    queues: createRequestQueues(metrics, clock),
    clock,
    log,
    metrics,
  });
};
