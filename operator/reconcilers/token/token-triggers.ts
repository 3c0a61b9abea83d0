import { API_VERSION, findCondition, keyOf, type OwnerReference } from '../../api/meta.ts';
import type { OAuthClient } from '../../api/oauth-client.ts';
import type { Token } from '../../api/token.ts';
import type { CachedNamespace } from '../../domain/cached-namespace.ts';
import { canonicalJson } from '../../domain/canonical-json.ts';
import { markingOf } from '../../domain/own-mark.ts';
import { RECORD_INDEX } from '../../domain/record/token-record.ts';
import {
  clientKeyOf,
  isBlacklisted,
  nextTokenId,
  recordedIdsOf,
  secretNameOf,
} from '../../domain/token/declared-token.ts';
import { madeForToken } from '../../domain/token/secret-content.ts';
import type { Cache, CacheChange, Indexers } from '../../ports/cache.ts';
import type { Clock } from '../../ports/clock.ts';
import type { NamedSecrets, SecretMeta } from '../../ports/secrets.ts';
import type { Keyring } from '../../ports/signing.ts';
import { BulkQueue, type KeySink } from '../../runtime/bulk-queue.ts';

/** Where changes come from that a Token's plan depends on, and the queue for the keys of affected Tokens. */
export interface TokenTriggerOptions {
  readonly tokens: Cache<Token>;
  readonly clients: Cache<OAuthClient>;
  readonly secrets: Cache<SecretMeta>;
  readonly namespaces: Cache<CachedNamespace>;
  readonly named: NamedSecrets;
  readonly keyring: Keyring;
  readonly clock: Clock;
  readonly queue: KeySink;
}

const FOLLOWER = 'token:';

/** The name under which a Token follows a Secret that it does not own but waits for. */
export const followerOf = (key: string): string => `${FOLLOWER}${key}`;

/** The part of an OAuthClient on which a Token's plan depends. */
const clientFingerprint = ({ metadata, spec, status }: OAuthClient): string =>
  canonicalJson([
    metadata.uid,
    metadata.generation,
    spec,
    status?.clientID,
    status?.issuer,
    findCondition(status?.conditions, 'Ready')?.reason,
  ]);

const isSamePlanInput = (change: CacheChange<OAuthClient>): boolean =>
  change.type === 'set' &&
  change.old !== undefined &&
  clientFingerprint(change.old) === clientFingerprint(change.object);

const labelsOf = (namespace: CachedNamespace | undefined): string =>
  canonicalJson([namespace?.metadata.labels ?? {}, namespace?.hasTooManyLabels ?? false]);

const isSameNamespace = (change: CacheChange<CachedNamespace>): boolean =>
  change.type === 'set' && labelsOf(change.old) === labelsOf(change.object);

function* keysOf(tokens: Iterable<Token>): Generator<string> {
  for (const { metadata } of tokens) yield keyOf(metadata);
}

/** A new revocation comes before renewals. */
const urgencyOf = (change: CacheChange<Token>): 'high' | 'normal' => {
  if (change.type === 'delete') return 'normal';
  const wasBlacklisted = change.old !== undefined && isBlacklisted(change.old);
  return !wasBlacklisted && isBlacklisted(change.object) ? 'high' : 'normal';
};

/** The most Tokens that are queued at once because they ask for the same Secret. */
const MAX_AT_ONCE = 16;

const onSecret = (
  { tokens, queue }: TokenTriggerOptions,
  change: CacheChange<SecretMeta>,
  bulk: BulkQueue,
): void => {
  const secret = change.type === 'set' ? change.object : change.old;
  const owner = controllingToken(secret);
  if (owner) queue.add(`${secret.metadata.namespace}/${owner.name}`);
  const asking = tokens.byIndex(TOKEN_INDEX.secret, change.key);
  if (tokens.countByIndex(TOKEN_INDEX.secret, change.key) > MAX_AT_ONCE) {
    bulk.add(keysOf(asking), `secret ${change.key}`);
    return;
  }
  for (const token of asking) {
    if (token.metadata.uid !== owner?.uid) queue.add(keyOf(token.metadata));
  }
};

function* selectedBy({ tokens, clients }: TokenTriggerOptions, namespace: string): Generator<Token> {
  for (const token of tokens.byIndex(TOKEN_INDEX.namespace, namespace)) {
    const client = clients.get(clientKeyOf(token));
    if (client?.spec.allowedNamespaces?.from === 'Selector') yield token;
  }
}

type Phase = ReturnType<Keyring['phase']>;

/** Finds the Tokens that a change of the keyring affects: it keeps the phase of each kid that a Token has. */
export class KeyringChanges {
  readonly #tokens: Cache<Token>;
  readonly #keyring: Keyring;
  readonly #phases = new Map<string, Phase>();
  #activeKid: string | undefined;

  constructor(tokens: Cache<Token>, keyring: Keyring) {
    this.#tokens = tokens;
    this.#keyring = keyring;
    this.#activeKid = keyring.active()?.kid;
  }

  /** Adds the kids of a changed Token. */
  add(change: CacheChange<Token>): void {
    if (change.type === 'delete') return;
    const { keyID, previous = [] } = change.object.status ?? {};
    if (keyID !== undefined) this.#addKid(keyID);
    for (const earlier of previous) this.#addKid(earlier.keyID);
  }

  /**
   * The Tokens whose plan may have changed with the keyring since the last call, some of them twice. The changes are determined by
   * the call, the Tokens are looked up while the result is iterated.
   */
  affected(): Iterable<Token> {
    const activeKid = this.#keyring.active()?.kid;
    const isActiveNew = activeKid !== this.#activeKid;
    this.#activeKid = activeKid;
    const changed = new Map<string, Phase>();
    for (const [kid, before] of this.#phases) {
      const phase = this.#keyring.phase(kid);
      // An unknown kid is a cause to issue again only while a key is active.
      const isUnknownNow = phase === undefined && isActiveNew && activeKid !== undefined;
      if (phase === before && !isUnknownNow) continue;
      changed.set(kid, phase);
      if (this.#tokens.countByIndex(TOKEN_INDEX.anyKid, kid) > 0) this.#phases.set(kid, phase);
      else this.#phases.delete(kid);
    }
    return this.#affectedBy(changed, isActiveNew);
  }

  #addKid(kid: string): void {
    if (!this.#phases.has(kid)) this.#phases.set(kid, this.#keyring.phase(kid));
  }

  *#affectedBy(changed: ReadonlyMap<string, Phase>, isActiveNew: boolean): Generator<Token> {
    if (isActiveNew) yield* this.#tokens.byIndex(TOKEN_INDEX.reason, 'SigningKeyNotReady');
    for (const [kid, phase] of changed) yield* this.#affectedByKid(kid, phase);
  }

  *#affectedByKid(kid: string, phase: Phase): Generator<Token> {
    if (phase === 'Active' || phase === 'Published') return;
    // A compromised key invalidates previous JWTs too; a retired one does not.
    const index = phase === 'Compromised' ? TOKEN_INDEX.anyKid : TOKEN_INDEX.kid;
    for (const token of this.#tokens.byIndex(index, kid)) {
      if (phase !== 'Retired' || token.status?.expiration === undefined) yield token;
    }
  }
}

/**
 * Queues the keys of Tokens whose plan may have changed: with the Token, its Secret, its client, the labels of its namespace, the
 * signing keys, or a Secret that it waits for. Changes that may affect many Tokens are queued in chunks at low priority.
 * To be called before the caches start. Returns a function that unsubscribes.
 */
export const tokenTriggers = (options: TokenTriggerOptions): (() => void) => {
  const { tokens, clients, secrets, namespaces, named, keyring, clock, queue } = options;
  const bulk = new BulkQueue(queue, clock);
  const keys = new KeyringChanges(tokens, keyring);
  const stops = [
    tokens.onChange((change) => {
      keys.add(change);
      queue.add(change.key, tokens.synced ? urgencyOf(change) : 'low');
    }),
    secrets.onChange((change) => {
      if (secrets.synced) onSecret(options, change, bulk);
    }),
    clients.onChange((change) => {
      if (clients.synced && !isSamePlanInput(change)) {
        bulk.add(keysOf(tokens.byIndex(TOKEN_INDEX.client, change.key)), `client ${change.key}`);
      }
    }),
    namespaces.onChange((change) => {
      if (namespaces.synced && !isSameNamespace(change)) {
        bulk.add(keysOf(selectedBy(options, change.key)), `namespace ${change.key}`);
      }
    }),
    keyring.onChange(() => bulk.add(keysOf(keys.affected()))),
    named.onChange((owner) => {
      if (owner.startsWith(FOLLOWER)) queue.add(owner.slice(FOLLOWER.length));
    }),
    () => bulk.stop(),
  ];
  return () => {
    for (const stop of stops) stop();
  };
};

/** Names of the indexes of the Token cache. */
export const TOKEN_INDEX = {
  /** By `<namespace>/<name>` of the OAuthClient. */
  client: 'client',
  /** By the kid of the current JWT. */
  kid: 'kid',
  /** By the kids of the current JWT and of the previous ones. */
  anyKid: 'anyKid',
  /** By the reasons of `Ready` and `Renewing`. */
  reason: 'reason',
  /** By the reason of `Ready`, which is `Issuing` before there is a status: every Token once. */
  state: 'state',
  /** By `<namespace>/<name>` of the Secret that the Token asks for. */
  secret: 'secret',
  namespace: 'namespace',
  ...RECORD_INDEX,
} as const;

const known = (...values: (string | undefined)[]): string[] => [
  ...new Set(values.filter((value) => value !== undefined)),
];

const idsOf = (token: Token): string[] => [...recordedIdsOf(token), nextTokenId(token)];

/** The index functions of the Token cache. */
export const TOKEN_INDEXERS: Indexers<Token> = {
  [TOKEN_INDEX.client]: (token) => [clientKeyOf(token)],
  [TOKEN_INDEX.kid]: ({ status }) => known(status?.keyID),
  [TOKEN_INDEX.anyKid]: ({ status }) =>
    known(status?.keyID, ...(status?.previous ?? []).map(({ keyID }) => keyID)),
  [TOKEN_INDEX.reason]: ({ status }) =>
    known(
      findCondition(status?.conditions, 'Ready')?.reason,
      findCondition(status?.conditions, 'Renewing')?.reason,
    ),
  [TOKEN_INDEX.state]: ({ status }) => [findCondition(status?.conditions, 'Ready')?.reason ?? 'Issuing'],
  [TOKEN_INDEX.secret]: (token) => [`${token.metadata.namespace}/${secretNameOf(token)}`],
  [TOKEN_INDEX.namespace]: ({ metadata }) => [metadata.namespace],
  [TOKEN_INDEX.id]: idsOf,
  [TOKEN_INDEX.owner]: ({ status }) => known(status?.owner),
};

/** Names of the indexes of the Secret cache. */
export const SECRET_INDEX = {
  /** By the uid of the Token that is the Secret's controller, if the Secret's marks have its own name: copies are in no index. */
  token: 'token',
} as const;

/** The controller reference of an object that a Token controls; undefined if none does. */
const controllingToken = ({ metadata }: Pick<SecretMeta, 'metadata'>): OwnerReference | undefined =>
  metadata.ownerReferences?.find(
    ({ kind, apiVersion, controller }) =>
      controller === true && kind === 'Token' && apiVersion === API_VERSION,
  );

/** The index functions of the Secret cache. */
export const SECRET_INDEXERS: Indexers<SecretMeta> = {
  [SECRET_INDEX.token]: (secret) => {
    const controller = controllingToken(secret);
    if (controller === undefined) return [];
    const marking = markingOf(secret.metadata, madeForToken(controller));
    return marking === 'Own' || marking === 'Partial' ? [controller.uid] : [];
  },
};
