import type { KeyEntry } from '../../api/signing-key.ts';
import { type BackoffBounds, equalJitterMs } from '../../async/backoff.ts';
import { PRIVATE_PEM } from '../../domain/key/key-secrets.ts';
import type { Clock } from '../../ports/clock.ts';
import type { KeyPairs } from '../../ports/keys.ts';
import type { Log } from '../../ports/log.ts';
import type { Secret } from '../../ports/secrets.ts';
import type { Signer } from '../../ports/signing.ts';

const BACKOFF: BackoffBounds = { baseMs: 1000, capMs: 30_000 };

export interface KeyLoaderOptions {
  /** Reads a Secret in the operator's namespace; undefined if it does not exist. */
  readonly readSecret: (name: string, signal: AbortSignal) => Promise<Secret | undefined>;
  readonly keyPairs: Pick<KeyPairs, 'read' | 'signer'>;
  readonly clock: Clock;
  /** [0, 1). */
  readonly random: () => number;
  readonly log: Log;
  /** Called when a signer has been loaded. */
  readonly onLoaded: () => void;
}

interface Loading {
  readonly entry: KeyEntry;
  readonly stop: AbortController;
  failures: number;
  busy: boolean;
  cancelTimer: () => void;
}

/** Loads the private keys that may have to sign, and keeps them while they are wanted. A failed read is retried with backoff. */
export class KeyLoader {
  readonly #options: KeyLoaderOptions;
  readonly #signers = new Map<string, Signer>();
  readonly #loading = new Map<string, Loading>();

  constructor(options: KeyLoaderOptions) {
    this.#options = options;
  }

  /** The signer of a wanted kid, once its private key is loaded. */
  signer(kid: string): Signer | undefined {
    return this.#signers.get(kid);
  }

  /** Whether the first read of a wanted key has ended, successfully or not. */
  tried(kid: string): boolean {
    return this.#signers.has(kid) || (this.#loading.get(kid)?.failures ?? 0) > 0;
  }

  /** Replaces the set of wanted keys: drops the others at once, and reads missing ones now. */
  want(entries: readonly KeyEntry[]): void {
    const wanted = new Map(entries.map((entry) => [entry.kid, entry]));
    for (const kid of this.#signers.keys()) if (!wanted.has(kid)) this.#signers.delete(kid);
    for (const [kid, loading] of this.#loading) {
      const entry = wanted.get(kid);
      if (!entry || !isAtSamePlace(entry, loading.entry)) this.#end(kid, loading);
    }
    for (const entry of wanted.values()) if (!this.#signers.has(entry.kid)) this.#begin(entry);
  }

  #begin(entry: KeyEntry): void {
    const loading = this.#loading.get(entry.kid) ?? {
      entry,
      stop: new AbortController(),
      failures: 0,
      busy: false,
      cancelTimer: () => {},
    };
    this.#loading.set(entry.kid, loading);
    loading.cancelTimer();
    if (!loading.busy) void this.#load(loading);
  }

  #end(kid: string, loading: Loading): void {
    loading.stop.abort();
    loading.cancelTimer();
    this.#loading.delete(kid);
  }

  /** Never rejects: errors are logged and retried. */
  async #load(loading: Loading): Promise<void> {
    const { entry, stop } = loading;
    const { kid } = entry;
    loading.busy = true;
    const outcome = await this.#read(entry, stop.signal).catch((error: unknown) => ({ error }));
    loading.busy = false;
    if (stop.signal.aborted) return;
    if ('signer' in outcome) {
      this.#signers.set(kid, outcome.signer);
      this.#loading.delete(kid);
      this.#options.onLoaded();
      return;
    }
    this.#options.log.warn('a private key could not be loaded; trying again', { kid, ...outcome });
    loading.failures++;
    const waitMs = equalJitterMs(loading.failures - 1, BACKOFF, this.#options.random);
    loading.cancelTimer = this.#options.clock.after(waitMs, () => void this.#load(loading));
  }

  async #read(
    { kid, algorithm, secretRef }: KeyEntry,
    signal: AbortSignal,
  ): Promise<{ signer: Signer } | { problem: string }> {
    const { readSecret, keyPairs } = this.#options;
    if (!secretRef) return { problem: 'status names no Secret' };
    const secret = await readSecret(secretRef.name, signal);
    const data = secret?.data?.[secretRef.key ?? PRIVATE_PEM];
    if (data === undefined) return { problem: 'the Secret or its key is missing' };
    const reading = await keyPairs.read(Buffer.from(data, 'base64').toString('utf8'), algorithm);
    if ('problem' in reading) return reading;
    if (reading.key.kid !== kid) return { problem: 'the Secret holds another key' };
    return { signer: await keyPairs.signer(reading.key) };
  }
}

const isAtSamePlace = (a: KeyEntry, b: KeyEntry): boolean =>
  a.secretRef?.name === b.secretRef?.name &&
  a.secretRef?.key === b.secretRef?.key &&
  a.algorithm === b.algorithm;
