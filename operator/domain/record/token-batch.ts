import { API_VERSION, GROUP } from '../../api/meta.ts';
import type { OAuthClient } from '../../api/oauth-client.ts';
import { formatTime } from '../../api/time.ts';
import {
  MAX_BATCH_RECORDS,
  type TokenBatch,
  type TokenBatchSpec,
  type TokenProfile,
} from '../../api/token-batch.ts';
import { batchedId, entryText } from './cached-token-batch.ts';
import { type IssuedTokenContent, ownerLabel } from './issued-token.ts';

/** What a record says, besides its id and its client. */
export type RecordFields = Omit<IssuedTokenContent, 'id' | 'client' | 'clientID'>;

/** A TokenBatch that is to be created; assignable to `NewObject<TokenBatch>`. */
export type NewTokenBatch = Omit<TokenBatch, 'metadata' | 'status'> & {
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly labels: Readonly<Record<string, string>>;
  };
};

/** Bytes of JSON that a TokenBatch's records may come to: etcd takes objects of 1.5 MiB, and each write of a status stores all anew. */
const MAX_BYTES = 256 * 1024;
/** Quotes and a comma. */
const ITEM_BYTES = 3;

const OWNER_PREFIX = `owner.${GROUP}`;

/** The label by which one list finds the TokenBatches with records of an owner: it is there, and empty. A batch may have one for each of many owners. */
export const batchOwnerLabel = (owner: string): string => `${OWNER_PREFIX}/${ownerLabel(owner)}`;

/**
 * Names what records may share a TokenBatch (spec §2.3): those whose lifetimes in seconds are between the same two powers of two, so that no object stays for long after most of its records, and those that never expire.
 */
export const lifetimeClassOf = ({ issuedAt, expiration }: Pick<RecordFields, 'issuedAt' | 'expiration'>) =>
  expiration === undefined ? 'never' : String(Math.floor(Math.log2(Math.max(1, expiration - issuedAt))));

const profileOf = ({ audience, scope, owner, subject, keyID }: RecordFields): TokenProfile => ({
  ...(audience.length > 0 && { audience }),
  ...(scope.length > 0 && { scope }),
  owner,
  subject,
  keyID,
});

const jsonBytes = (value: unknown): number => Buffer.byteLength(JSON.stringify(value));

/** A TokenBatch while it is being filled: records go in one after the other, each at its position. */
export class BatchDraft {
  /** Its `metadata.name`. */
  readonly name: string;
  readonly #client: OAuthClient;
  readonly #clientID: string;
  readonly #profiles: TokenProfile[] = [];
  readonly #positions = new Map<string, number>();
  readonly #tokens: string[] = [];
  readonly #claims: Record<string, Readonly<Record<string, unknown>>> = {};
  #expiration: number | undefined = 0;
  #bytes = 0;

  constructor(name: string, client: OAuthClient, clientID: string) {
    this.name = name;
    this.#client = client;
    this.#clientID = clientID;
  }

  get size(): number {
    return this.#tokens.length;
  }

  /** The `jti` of the record that went in; undefined where there is no room for it, which an empty draft always has. */
  add(content: RecordFields): string | undefined {
    const { issuedAt, expiration, tokenName, originalTokenClaims } = content;
    const profile = profileOf(content);
    const text = JSON.stringify(profile);
    const known = this.#positions.get(text);
    const entry = entryText({
      profile: known ?? this.#profiles.length,
      issuedAt,
      expiration,
      name: tokenName,
    });
    const bytes =
      Buffer.byteLength(entry) +
      ITEM_BYTES +
      (known === undefined ? Buffer.byteLength(text) + ITEM_BYTES : 0) +
      (originalTokenClaims ? jsonBytes(originalTokenClaims) + 2 * ITEM_BYTES : 0);
    const position = this.#tokens.length;
    if (position === MAX_BATCH_RECORDS || (position > 0 && this.#bytes + bytes > MAX_BYTES)) return undefined;
    if (known === undefined) this.#positions.set(text, this.#profiles.push(profile) - 1);
    this.#tokens.push(entry);
    if (originalTokenClaims) this.#claims[position] = originalTokenClaims;
    this.#bytes += bytes;
    this.#expiration = expiration && Math.max(this.#expiration ?? 0, expiration);
    return batchedId(this.name, position);
  }

  /** The object that holds what went in. */
  build(): NewTokenBatch {
    const { name, namespace, uid } = this.#client.metadata;
    const owners = new Set(this.#profiles.map(({ owner }) => owner));
    const spec: TokenBatchSpec = {
      clientRef: { name },
      clientID: this.#clientID,
      clientUID: uid,
      count: this.#tokens.length,
      ...(this.#expiration !== undefined && { expiration: formatTime(this.#expiration) }),
      profiles: this.#profiles,
      tokens: this.#tokens,
      ...(Object.keys(this.#claims).length > 0 && { originalTokenClaims: this.#claims }),
    };
    const labels = Object.fromEntries([...owners].map((owner) => [batchOwnerLabel(owner), '']));
    return {
      apiVersion: API_VERSION,
      kind: 'TokenBatch',
      metadata: { name: this.name, namespace, labels },
      spec,
    };
  }
}
