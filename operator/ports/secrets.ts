import type { KubeObject } from '../api/meta.ts';

/** A Secret with its content, read only to repair, to authenticate or to sign. `data` is base64. */
export interface Secret extends KubeObject {
  readonly kind: 'Secret';
  readonly type?: string;
  readonly immutable?: boolean;
  readonly data?: Readonly<Record<string, string>>;
}

/**
 * What is kept of a Secret in memory: metadata alone. Who wrote which part is read from
 * `managedFields` (server-side field ownership), so that tampering shows without the content.
 */
export interface SecretMeta extends KubeObject {
  /** Metadata of others is left out: a write that keeps it has to read the Secret first. */
  readonly isReduced: boolean;
  readonly fields: {
    /** Data keys last written by this operator. */
    readonly managedDataKeys: readonly string[];
    /** Data keys last written by anybody else. */
    readonly dataOfOtherManagers: readonly string[];
    readonly ownLabels: readonly string[];
    readonly ownAnnotations: readonly string[];
  };
}

/** Secrets that resources name: each is watched by name while it has a follower. */
export interface NamedSecrets {
  /** Metadata of that Secret; undefined while absent or not yet known. */
  get(key: string): SecretMeta | undefined;
  /** Replaces what `owner` is interested in (keys `namespace/name`); an empty list ends its interest. Beyond the bound the owner must look again by itself, and the answer is false. */
  follow(owner: string, keys: readonly string[]): boolean;
  /** Called with the owner's name when a Secret that it follows appears, changes or goes. */
  onChange(handler: (owner: string) => void): () => void;
}
