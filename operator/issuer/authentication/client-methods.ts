import { API_VERSION } from '../../api/meta.ts';
import type { OAuthClient } from '../../api/oauth-client.ts';
import type { FailureCause } from './authentication-failures.ts';

const hasAssertionMethod = ({ spec }: OAuthClient): boolean => {
  const { privateKeyJWT, trustedIssuers = [], serviceAccounts = [] } = spec.authentication ?? {};
  return privateKeyJWT !== undefined || trustedIssuers.length > 0 || serviceAccounts.length > 0;
};

/**
 * Why a client can't authenticate by what it has sent, an assertion or a secret; undefined if it may (spec §2.4: a client with an
 * assertion method authenticates by assertions only, another one by its client secret, and without any method nobody does).
 */
export const findMethodProblem = (
  client: OAuthClient | undefined,
  sent: 'assertion' | 'secret',
): FailureCause | undefined => {
  if (client === undefined) return 'UnknownClient';
  if (hasAssertionMethod(client)) return sent === 'assertion' ? undefined : 'AssertionMissing';
  if (!client.spec.authentication?.clientSecret) return 'NoMethod';
  // RFC 6749 §2.3: a client must not use more than one method in a request.
  return sent === 'secret' ? undefined : 'AssertionUnexpected';
};

/** A client without keys: checking an assertion of it costs what checking one of a client with keys costs, and always fails. */
export const NOBODY: OAuthClient = {
  apiVersion: API_VERSION,
  kind: 'OAuthClient',
  metadata: { name: '', namespace: '', uid: '', resourceVersion: '', creationTimestamp: '' },
  spec: {
    accessTokenLifetime: '1h',
    allowedGrantTypes: [],
    recording: 'PerToken',
    authentication: { privateKeyJWT: { jwks: { keys: [] } } },
  },
};
