import type { KeyEntry, KeyPhase, SigningKey } from '../../api/signing-key.ts';
import { Emitter } from '../../async/emitter.ts';
import { type Awaitable, mapAwaitable } from '../../async/map-awaitable.ts';
import { buildJwks, compromisedKids, type Jwks } from '../../domain/key/jwks.ts';
import type { Cache } from '../../ports/cache.ts';
import type { Keyring, PublicKeys, Signer, VerifiedJwt } from '../../ports/signing.ts';
import { KeyLoader, type KeyLoaderOptions } from './key-loader.ts';
import { VerificationKeys } from './verification-keys.ts';

export interface IssuerKeyringOptions extends Omit<KeyLoaderOptions, 'onLoaded'> {
  readonly signingKeys: Cache<SigningKey>;
  /** The operator's namespace; a SigningKey elsewhere counts for nothing. */
  readonly namespace: string;
  /** Name of the SigningKey whose Active key signs (spec §6, `issuer.signingKey`). */
  readonly signingKey: string;
  /** `iss` of every JWT of ours. */
  readonly issuerUrl: string;
}

type Phase = KeyPhase | 'Compromised';

/** Where SigningKeys share a key, the phase that says most counts. */
const WEIGHT: Readonly<Record<Phase, number>> = { Retired: 0, Published: 1, Active: 2, Compromised: 3 };

/** The issuer's keys as the cache of SigningKeys tells of them, on every replica alike. Private halves are held for the configured SigningKey alone, while they are Active or Published. */
export class IssuerKeyring implements Keyring, PublicKeys {
  readonly name = 'keyring';
  readonly #options: IssuerKeyringOptions;
  readonly #loader: KeyLoader;
  readonly #verification = new VerificationKeys();
  readonly #changes: Emitter<void>;
  #phases: ReadonlyMap<string, Phase> = new Map();
  #active: KeyEntry | undefined;
  #told = '';
  #unsubscribe: () => void = () => {};

  constructor(options: IssuerKeyringOptions) {
    this.#options = options;
    this.#changes = new Emitter((error) =>
      options.log.error('a handler of keyring changes threw', { error }),
    );
    this.#loader = new KeyLoader({ ...options, onLoaded: () => this.#tell() });
  }

  /** Follows the cache from now on. */
  start(): void {
    this.#unsubscribe();
    this.#unsubscribe = this.#options.signingKeys.onChange(() => this.#refresh());
    this.#refresh();
  }

  /** Follows the cache no more, and holds no private half. */
  stop(): void {
    this.#unsubscribe();
    this.#active = undefined;
    this.#loader.want([]);
  }

  /** The SigningKeys are known, and the private half that signs has been read or could not be: what readiness asks. */
  get loaded(): boolean {
    return this.#options.signingKeys.synced && (!this.#active || this.#loader.tried(this.#active.kid));
  }

  /** Where all keys are compromised the set is empty, and that is known. */
  get known(): boolean {
    return this.#options.signingKeys.synced && this.#phases.size > 0;
  }

  active(): Signer | undefined {
    return this.#active && this.#loader.signer(this.#active.kid);
  }

  phase(kid: string): Phase | undefined {
    return this.#phases.get(kid);
  }

  /** The public set of all SigningKeys but compromised keys (RFC 7517 §5), in a stable order. */
  jwks(): Jwks {
    return buildJwks(this.#signingKeys());
  }

  verify(jwt: string): Awaitable<VerifiedJwt | undefined> {
    return mapAwaitable(this.#verification.verify(jwt), (verified) => this.#own(verified));
  }

  #own(verified: VerifiedJwt | undefined): VerifiedJwt | undefined {
    if (verified?.claims.iss !== this.#options.issuerUrl) return undefined;
    // It may have been compromised while the signature was being checked.
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

  #refresh(): void {
    const { namespace, signingKey } = this.#options;
    const signingKeys = this.#signingKeys();
    const compromised = compromisedKids(signingKeys);
    const entries = signingKeys.flatMap(({ status }) => status?.keys ?? []);
    const phases = new Map<string, Phase>();
    for (const { kid, phase } of entries) {
      const known = phases.get(kid);
      if (known === undefined || WEIGHT[phase] > WEIGHT[known]) phases.set(kid, phase);
    }
    for (const kid of compromised) phases.set(kid, 'Compromised');
    const own = this.#options.signingKeys.get(`${namespace}/${signingKey}`)?.status?.keys ?? [];
    const wanted = own.filter(({ kid, phase }) => phase !== 'Retired' && !compromised.has(kid));
    this.#phases = phases;
    this.#active = wanted.find(({ phase }) => phase === 'Active');
    this.#verification.replace(entries.filter(({ kid }) => !compromised.has(kid)));
    this.#loader.want(wanted);
    this.#tell();
  }

  #tell(): void {
    const state = JSON.stringify([this.active()?.kid, [...this.#phases].sort()]);
    if (state === this.#told) return;
    this.#told = state;
    this.#changes.emit();
  }
}
