import { findCondition } from '../../api/conditions.ts';
import { type KubeObject, keyOf } from '../../api/meta.ts';
import type { OAuthClient } from '../../api/oauth-client.ts';
import type { Token } from '../../api/token.ts';
import { canonicalJson } from '../../domain/canonical-json.ts';
import { clientKeyOf } from '../../domain/token/token-observation.ts';
import { isBlacklisted } from '../../domain/token/token-plan.ts';
import type { Cache, CacheChange } from '../../ports/cache.ts';
import type { Clock } from '../../ports/clock.ts';
import type { NamedSecrets, SecretMeta } from '../../ports/secrets.ts';
import type { Keyring } from '../../ports/signing.ts';
import { BulkQueue, type KeySink } from '../../runtime/bulk-queue.ts';
import { KeyringChanges } from './keyring-changes.ts';
import { controllingToken, TOKEN_INDEX } from './token-indexes.ts';

/** What tells that a Token has to be looked at again. */
export interface TokenTriggerOptions {
  readonly tokens: Cache<Token>;
  readonly clients: Cache<OAuthClient>;
  readonly secrets: Cache<SecretMeta>;
  readonly namespaces: Cache<KubeObject>;
  readonly named: NamedSecrets;
  readonly keyring: Keyring;
  readonly clock: Clock;
  readonly queue: KeySink;
}

const FOLLOWER = 'token:';

/** The name under which a Token follows a Secret that is in its way. */
export const followerOf = (key: string): string => `${FOLLOWER}${key}`;

/** What of an OAuthClient a Token's plan depends on. */
const clientFingerprint = ({ metadata, spec, status }: OAuthClient): string =>
  canonicalJson([
    metadata.uid,
    metadata.generation,
    spec,
    status?.clientID,
    findCondition(status?.conditions, 'Ready')?.reason,
  ]);

const isSameToPlans = (change: CacheChange<OAuthClient>): boolean =>
  change.type === 'set' &&
  change.old !== undefined &&
  clientFingerprint(change.old) === clientFingerprint(change.object);

const isSameNamespace = (change: CacheChange<KubeObject>): boolean =>
  change.type === 'set' &&
  canonicalJson(change.old?.metadata.labels ?? {}) === canonicalJson(change.object.metadata.labels ?? {});

function* keysOf(tokens: Iterable<Token>): Generator<string> {
  for (const { metadata } of tokens) yield keyOf(metadata);
}

/** A revocation does not wait behind renewals. */
const urgencyOf = (change: CacheChange<Token>): 'high' | 'normal' => {
  if (change.type === 'delete') return 'normal';
  const isNew = !(change.old && isBlacklisted({ token: change.old }));
  return isNew && isBlacklisted({ token: change.object }) ? 'high' : 'normal';
};

const onSecret = ({ tokens, queue }: TokenTriggerOptions, change: CacheChange<SecretMeta>): void => {
  const secret = change.type === 'set' ? change.object : change.old;
  const owner = controllingToken(secret);
  if (owner) queue.add(`${secret.metadata.namespace}/${owner.name}`);
  for (const token of tokens.byIndex(TOKEN_INDEX.secret, change.key)) {
    if (token.metadata.uid !== owner?.uid) queue.add(keyOf(token.metadata));
  }
};

function* selectedBy({ tokens, clients }: TokenTriggerOptions, namespace: string): Generator<Token> {
  for (const token of tokens.byIndex(TOKEN_INDEX.namespace, namespace)) {
    const client = clients.get(clientKeyOf(token));
    if (client?.spec.allowedNamespaces?.from === 'Selector') yield token;
  }
}

/**
 * Puts the keys of Tokens into the queue whose plan may have changed: by a change of the Token, its Secret, its client, its
 * namespace's labels, the keys, or a Secret that was in the way. What may concern many goes in at low priority and in pieces.
 * To be called before the caches start; returns the function that ends it.
 */
export const tokenTriggers = (options: TokenTriggerOptions): (() => void) => {
  const { tokens, clients, secrets, namespaces, named, keyring, clock, queue } = options;
  const bulk = new BulkQueue(queue, clock);
  const keys = new KeyringChanges(tokens, keyring);
  const stops = [
    tokens.onChange((change) => {
      keys.learn(change);
      queue.add(change.key, tokens.synced ? urgencyOf(change) : 'low');
    }),
    secrets.onChange((change) => {
      if (secrets.synced) onSecret(options, change);
    }),
    clients.onChange((change) => {
      if (clients.synced && !isSameToPlans(change)) {
        bulk.add(keysOf(tokens.byIndex(TOKEN_INDEX.client, change.key)), `client ${change.key}`);
      }
    }),
    namespaces.onChange((change) => {
      if (namespaces.synced && !isSameNamespace(change)) {
        bulk.add(keysOf(selectedBy(options, change.key)), `namespace ${change.key}`);
      }
    }),
    keyring.onChange(() => bulk.add(keysOf(keys.concerned()))),
    named.onChange((owner) => {
      if (owner.startsWith(FOLLOWER)) queue.add(owner.slice(FOLLOWER.length));
    }),
    () => bulk.stop(),
  ];
  return () => {
    for (const stop of stops) stop();
  };
};
