import { hash } from 'node:crypto';
import type { IssuedToken } from '../../api/issued-token.ts';
import { API_VERSION, GROUP } from '../../api/meta.ts';
import type { OAuthClient } from '../../api/oauth-client.ts';
import { formatTime, secondsOf } from '../../api/time.ts';
import { heldMetadata, sharedList, sharedText } from '../held-metadata.ts';
import type { CachedIssuedToken } from './cached-issued-token.ts';
import { blacklistedAtOf, isRestored } from './token-record.ts';

/** Label by which one list finds all of an owner's records, those made a moment ago through another replica too. */
export const OWNER_LABEL = `${GROUP}/owner`;

const LABEL_LENGTH = 40;

/** The value of {@link OWNER_LABEL}: an owner may hold what no label can, so its SHA-256 stands for it. */
export const ownerLabel = (owner: string): string => hash('sha256', owner, 'hex').slice(0, LABEL_LENGTH);

/**
 * For so long after its `iat` a record keeps a client's own assertion from being used again (spec §4): the 5 min that
 * an assertion may be valid, 30 s of leeway, and a margin for clocks.
 */
export const REPLAY_WINDOW_SECONDS = 360;

/** Whether a `jti` was derived from a client's own assertion: a UUID of version 5 (RFC 9562 §5.5). */
export const isDerivedId = (id: string): boolean => id.charAt(14) === '5';

/** What a issued token says; times in seconds since the Unix epoch. */
export interface IssuedTokenContent {
  readonly id: string;
  readonly client: OAuthClient;
  readonly clientID: string;
  readonly tokenName: string;
  readonly audience: readonly string[];
  readonly scope: readonly string[];
  readonly owner: string;
  readonly subject: string;
  readonly issuedAt: number;
  readonly expiration: number | undefined;
  readonly keyID: string;
  readonly originalTokenClaims: Readonly<Record<string, unknown>> | undefined;
}

/** A record that is to be created; assignable to `NewObject<IssuedToken>`. */
export type NewIssuedToken = Omit<IssuedToken, 'metadata' | 'status'> & {
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly labels: Readonly<Record<string, string>>;
  };
};

/** The record of a issued token (spec §2.2), in its client's namespace; what is empty is left out. */
export const buildIssuedToken = (content: IssuedTokenContent): NewIssuedToken => {
  const { id, client, clientID, tokenName, audience, scope, owner, subject, issuedAt, expiration } = content;
  const { keyID, originalTokenClaims } = content;
  const { name, namespace, uid } = client.metadata;
  return {
    apiVersion: API_VERSION,
    kind: 'IssuedToken',
    metadata: { name: id, namespace, labels: { [OWNER_LABEL]: ownerLabel(owner) } },
    spec: {
      clientRef: { name },
      clientID,
      clientUID: uid,
      ...(tokenName !== '' && { tokenName }),
      ...(audience.length > 0 && { audience: [...audience] }),
      ...(scope.length > 0 && { scope: [...scope] }),
      owner,
      subject,
      issuedAt: formatTime(issuedAt),
      ...(expiration !== undefined && { expiration: formatTime(expiration) }),
      keyID,
      ...(originalTokenClaims && { originalTokenClaims }),
    },
  };
};

const NONE: readonly string[] = [];

/** The record that an IssuedToken is (spec §2.2). */
export const cachedIssuedTokenOf = (object: IssuedToken): CachedIssuedToken => {
  const { spec, status } = object;
  const metadata = heldMetadata(object.metadata);
  const { name, namespace, uid } = metadata;
  const { expiration, originalTokenClaims } = spec;
  return {
    metadata,
    id: name,
    origin: { kind: 'IssuedToken', namespace, name, uid },
    state: 'Current',
    version: status?.version ?? 0,
    name: spec.tokenName ?? '',
    owner: sharedText(spec.owner),
    subject: sharedText(spec.subject),
    clientID: sharedText(spec.clientID),
    client: sharedText(`${namespace}/${spec.clientRef.name}`),
    clientUID: sharedText(spec.clientUID),
    keyID: sharedText(spec.keyID),
    audience: sharedList(spec.audience ?? NONE),
    scope: sharedList(spec.scope ?? NONE),
    issuedAt: secondsOf(spec.issuedAt),
    expiration: expiration === undefined ? undefined : secondsOf(expiration),
    originalTokenClaims,
    blacklistedAt: blacklistedAtOf(object),
    ...(isRestored(secondsOf(spec.issuedAt), secondsOf(metadata.creationTimestamp)) && { isRestored: true }),
  };
};
