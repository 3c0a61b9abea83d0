import { hash } from 'node:crypto';
import { type CryptoKey, compactVerify, decodeProtectedHeader, importJWK } from 'jose';
import type { Algorithm, KeyEntry, KeyPhase, SigningKey } from '../../api/signing-key.ts';
import { secondsOf } from '../../api/time.ts';
import { BoundedMap } from '../../async/bounded-map.ts';
import { Emitter } from '../../async/emitter.ts';
import { type Awaitable, mapAwaitable } from '../../async/map-awaitable.ts';
import { canonicalJson } from '../../domain/canonical-json.ts';

import { isIssuerUrl } from '../../domain/client/client-rules.ts';
import {
  buildJwks,
  compromisedKids,
  isInJwks,
  type Jwks,
  type JwksMembers,
  publicJwkOf,
} from '../../domain/key/jwks.ts';
import { MIN_PUBLISH_SECONDS } from '../../domain/key/signing-key-observation.ts';
import type { Cache } from '../../ports/cache.ts';
import type { Keyring, PublicKeys, RunCheck, Signer, VerifiedJwt } from '../../ports/signing.ts';
import { KeyLoader, type KeyLoaderOptions } from './key-loader.ts';

/** The longest JWT of this issuer, in characters: far above the limits of claims, scopes and audiences together. */
export const MAX_JWT_CHARACTERS = 262_144;

/**
 * JWTs whose verified signature is cached: verifiers ask about the same token repeatedly, and checking its signature costs more than
 * the rest of the answer. Times, record and client are checked every time.
 */
const MAX_CACHED = 8192;
/** Longer JWTs are rare and not cached, which bounds the size of the cache. */
const MAX_CACHED_CHARACTERS = 8192;

interface VerificationKey {
  readonly algorithm: Algorithm;
  /** Canonical JSON of the public JWK. */
  readonly text: string;
  /** Undefined for a JWK that can't be imported. */
  readonly key: Promise<CryptoKey | Uint8Array | undefined>;
}

const atOnce: RunCheck = (check) => check();

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** The public keys by kid, each imported once. */
export class VerificationKeys {
  #keys = new Map<string, VerificationKey>();
  /** By the SHA-256 of the JWT, so that no JWT is kept in memory. */
  readonly #verified = new BoundedMap<string, VerifiedJwt>(MAX_CACHED);

  /** Replaces the set of keys; unchanged ones are not imported again. */
  replace(entries: readonly KeyEntry[]): void {
    const next = new Map<string, VerificationKey>();
    for (const entry of entries) {
      const jwk = publicJwkOf(entry);
      const text = canonicalJson(jwk);
      const known = this.#keys.get(entry.kid);
      const { algorithm } = entry;
      const imported = () => importJWK({ ...jwk }, algorithm).catch(() => undefined);
      next.set(entry.kid, known?.text === text ? known : { algorithm, text, key: imported() });
    }
    const isKept = (known: VerificationKey, kid: string): boolean => next.get(kid) === known;
    if (![...this.#keys].every(([kid, known]) => isKept(known, kid))) this.#verified.clear();
    this.#keys = next;
  }

  /** The JWT if the key of its `kid` has signed it with the algorithm of that key (RFC 8725 §3.1); else undefined. */
  verify(jwt: string, inTurn: RunCheck = atOnce): Awaitable<VerifiedJwt | undefined> {
    if (jwt.length > MAX_JWT_CHARACTERS) return undefined;
    if (jwt.length > MAX_CACHED_CHARACTERS) return inTurn(() => this.#check(jwt));
    const digest = hash('sha256', jwt, 'base64');
    return this.#verified.get(digest) ?? inTurn(() => this.#checkAndCache(jwt, digest));
  }

  async #checkAndCache(jwt: string, digest: string): Promise<VerifiedJwt | undefined> {
    const keys = this.#keys;
    const verified = await this.#check(jwt);
    // The key may have been removed during the check: then nothing is cached.
    if (verified && keys === this.#keys) this.#verified.set(digest, verified);
    return verified;
  }

  async #check(jwt: string): Promise<VerifiedJwt | undefined> {
    try {
      const { kid, alg } = decodeProtectedHeader(jwt);
      const known = typeof kid === 'string' ? this.#keys.get(kid) : undefined;
      if (kid === undefined || known === undefined || alg !== known.algorithm) return undefined;
      const key = await known.key;
      if (key === undefined) return undefined;
      const { payload } = await compactVerify(jwt, key, { algorithms: [known.algorithm] });
      const claims: unknown = JSON.parse(utf8.decode(payload));
      if (typeof claims !== 'object' || claims === null || Array.isArray(claims)) return undefined;
      return { kid, algorithm: known.algorithm, claims: Object.freeze(claims as Record<string, unknown>) };
    } catch {
      return undefined;
    }
  }
}

export interface IssuerKeyringOptions extends Omit<KeyLoaderOptions, 'onLoaded'> {
  readonly signingKeys: Cache<SigningKey>;
  /** The compromised keys that the operator remembers, whether a SigningKey names them or not. Absent: only those that one names. */
  readonly remembered?: RememberedKeys;
  /** The operator's namespace; SigningKeys elsewhere are ignored. */
  readonly namespace: string;
  /** Name of the SigningKey whose Active key signs (spec §6, `issuer.signingKey`). */
  readonly signingKey: string;
  /** Whose keys are published; every key verifies here. Absent: those of all SigningKeys. */
  readonly jwks?: JwksMembers['jwks'];
  /** `iss` of every JWT of this issuer. */
  readonly issuerUrl: string;
  /** What `iss` was before (spec §6, `issuer.previousURLs`); absent: none. */
  readonly previousURLs?: readonly string[];
}

/** Compromised keys from a cache. */
export interface RememberedKeys {
  kids(): ReadonlySet<string>;
  /** Returns the function that ends it. */
  onChange(handler: () => void): () => void;
}

type Phase = KeyPhase | 'Compromised';

const hasHadKeys = ({ spec, status }: SigningKey): boolean =>
  (status?.keys ?? []).length > 0 || (spec.compromised ?? []).length > 0;

/** Whether the private keys of two entries are in the same place, where only one of them can be at a time. */
const hasSameSecret = ({ secretRef: a }: KeyEntry, { secretRef: b }: KeyEntry): boolean =>
  a?.name === b?.name && a?.key === b?.key;

/** If several SigningKeys have the same key, its phase is the one with the highest rank. */
const RANK: Readonly<Record<Phase, number>> = { Retired: 0, Published: 1, Active: 2, Compromised: 3 };

/**
 * The issuer's keys, from the cache of SigningKeys, the same on every replica. Private keys are held for the configured SigningKey only,
 * while they are Active or Published.
 */
export class IssuerKeyring implements Keyring, PublicKeys {
  readonly name = 'keyring';
  readonly #options: IssuerKeyringOptions;
  readonly #loader: KeyLoader;
  readonly #verification = new VerificationKeys();
  readonly #changes: Emitter<void>;
  #phases: ReadonlyMap<string, Phase> = new Map();
  #active: KeyEntry | undefined;
  #published: KeyEntry | undefined;
  #cancelTimer: () => void = () => {};
  #signer: Signer | undefined;
  #lastState = '';
  #unsubscribe: () => void = () => {};

  constructor(options: IssuerKeyringOptions) {
    this.#options = options;
    this.#changes = new Emitter((error) =>
      options.log.error('a handler of keyring changes threw', { error }),
    );
    this.#loader = new KeyLoader({ ...options, onLoaded: () => this.#update() });
  }

  /** Starts following the cache. */
  start(): void {
    this.#unsubscribe();
    const { signingKeys, remembered } = this.#options;
    const stops = [signingKeys, remembered].map((source) => source?.onChange(() => this.#refresh()));
    this.#unsubscribe = () => {
      for (const stop of stops) stop?.();
    };
    this.#refresh();
  }

  /** Stops following the cache, and drops all private keys. */
  stop(): void {
    this.#unsubscribe();
    this.#cancelTimer();
    this.#active = undefined;
    this.#published = undefined;
    this.#signer = undefined;
    this.#loader.want([]);
  }

  /** For readiness: the SigningKeys are known, and reading the active private key has succeeded or failed once. */
  get loaded(): boolean {
    return this.#options.signingKeys.synced && (!this.#active || this.#loader.tried(this.#active.kid));
  }

  /** Whether the public keys are known. If all of them are compromised, the set is empty, and known. */
  get known(): boolean {
    const { signingKeys, jwks = 'All' } = this.#options;
    if (!signingKeys.synced || this.#phases.size === 0) return false;
    return jwks === 'All' || this.#jwksMembers(this.#signingKeys()).some(hasHadKeys);
  }

  active(): Signer | undefined {
    return this.#signer;
  }

  /** Whether the private key is in memory: that of a provided key stays there while the key is Active or Published, whatever its Secret has. */
  holds(kid: string): boolean {
    return this.#loader.signer(kid) !== undefined;
  }

  phase(kid: string): Phase | undefined {
    return this.#phases.get(kid);
  }

  /** The public keys of the SigningKeys that are published, without compromised ones (RFC 7517 §5), in a stable order. */
  jwks(): Jwks {
    const signingKeys = this.#signingKeys();
    return buildJwks(this.#jwksMembers(signingKeys), this.#compromised(signingKeys));
  }

  verify(jwt: string, inTurn?: RunCheck): Awaitable<VerifiedJwt | undefined> {
    return mapAwaitable(this.#verification.verify(jwt, inTurn), (verified) => this.#ifOwn(verified));
  }

  #ifOwn(verified: VerifiedJwt | undefined): VerifiedJwt | undefined {
    const { issuerUrl: url, previousURLs = [] } = this.#options;
    if (!verified || !isIssuerUrl({ url, previousURLs }, verified.claims.iss)) return undefined;
    // The key may have become compromised while the signature was checked.
    const phase = this.#phases.get(verified.kid);
    return phase === undefined || phase === 'Compromised' ? undefined : verified;
  }

  onChange(handler: () => void): () => void {
    return this.#changes.on(handler);
  }

  #signingKeys(): SigningKey[] {
    const { signingKeys, namespace } = this.#options;
    return [...signingKeys.values()].filter(({ metadata }) => metadata.namespace === namespace);
  }

  #jwksMembers(signingKeys: readonly SigningKey[]): SigningKey[] {
    const { jwks = 'All', signingKey } = this.#options;
    return signingKeys.filter((one) => isInJwks(one, { jwks, signingKey }));
  }

  #compromised(signingKeys: readonly SigningKey[]): ReadonlySet<string> {
    return new Set([...compromisedKids(signingKeys), ...(this.#options.remembered?.kids() ?? [])]);
  }

  /** Takes over the phases and keys of all SigningKeys from the cache. */
  #refresh(): void {
    const { namespace, signingKey } = this.#options;
    const signingKeys = this.#signingKeys();
    const compromised = this.#compromised(signingKeys);
    const entries = signingKeys.flatMap(({ status }) => status?.keys ?? []);
    const phases = new Map<string, Phase>();
    for (const { kid, phase } of entries) {
      const known = phases.get(kid);
      if (known === undefined || RANK[phase] > RANK[known]) phases.set(kid, phase);
    }
    for (const kid of compromised) phases.set(kid, 'Compromised');
    const own = this.#options.signingKeys.get(`${namespace}/${signingKey}`)?.status?.keys ?? [];
    const wanted = own.filter(({ kid, phase }) => phase !== 'Retired' && !compromised.has(kid));
    this.#phases = phases;
    this.#active = wanted.find(({ phase }) => phase === 'Active');
    this.#published = wanted.find(({ phase }) => phase === 'Published');
    this.#verification.replace(entries.filter(({ kid }) => !compromised.has(kid)));
    this.#loader.want(wanted);
    this.#update();
  }

  /**
   * The signer of the Published key if a user replaced the Active key by it, in the same place, before this replica read that one: other
   * replicas go on with the Active key from memory, and this one signs as soon as no verifier has a JWKS without the Published key.
   */
  #successor(active: KeyEntry): Signer | undefined {
    const next = this.#published;
    const signer = next && this.#loader.signer(next.kid);
    if (!signer || next.secretRef?.key === undefined || !hasSameSecret(next, active)) return undefined;
    const waitMs = (secondsOf(next.publishedAt) + MIN_PUBLISH_SECONDS) * 1000 - this.#options.clock.now();
    if (waitMs <= 0) return signer;
    this.#cancelTimer = this.#options.clock.after(waitMs, () => this.#update());
    return undefined;
  }

  /** Takes over the signer, and notifies subscribers if it or a phase has changed. */
  #update(): void {
    this.#cancelTimer();
    const active = this.#active;
    this.#signer = active && (this.#loader.signer(active.kid) ?? this.#successor(active));
    const state = JSON.stringify([this.#signer?.kid, [...this.#phases].sort()]);
    if (state === this.#lastState) return;
    this.#lastState = state;
    this.#changes.emit();
  }
}
