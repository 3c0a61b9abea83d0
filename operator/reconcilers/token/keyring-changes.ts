import type { Token } from '../../api/token.ts';
import type { Cache, CacheChange } from '../../ports/cache.ts';
import type { Keyring } from '../../ports/signing.ts';
import { TOKEN_INDEX } from './token-indexes.ts';

type Phase = ReturnType<Keyring['phase']>;

/** Tells which Tokens a change of the keyring concerns: it remembers the phase of each kid that some Token has. */
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

  /** Takes note of the kids of a Token. */
  learn(change: CacheChange<Token>): void {
    if (change.type === 'delete') return;
    const { keyID, previous = [] } = change.object.status ?? {};
    if (keyID !== undefined) this.#learnKid(keyID);
    for (const earlier of previous) this.#learnKid(earlier.keyID);
  }

  /**
   * Tokens whose plan the keyring has changed since the last call; some come twice. What changed is settled by the call
   * itself, the Tokens are looked up as they are asked for.
   */
  concerned(): Iterable<Token> {
    const activeKid = this.#keyring.active()?.kid;
    const isActiveNew = activeKid !== this.#activeKid;
    this.#activeKid = activeKid;
    const changed = new Map<string, Phase>();
    for (const [kid, before] of this.#phases) {
      const phase = this.#keyring.phase(kid);
      // An unknown kid counts against a Token only while there is an active one to replace it.
      const isUnknownNow = phase === undefined && isActiveNew && activeKid !== undefined;
      if (phase === before && !isUnknownNow) continue;
      changed.set(kid, phase);
      if (this.#tokens.countByIndex(TOKEN_INDEX.anyKid, kid) > 0) this.#phases.set(kid, phase);
      else this.#phases.delete(kid);
    }
    return this.#concernedBy(changed, isActiveNew);
  }

  #learnKid(kid: string): void {
    if (!this.#phases.has(kid)) this.#phases.set(kid, this.#keyring.phase(kid));
  }

  *#concernedBy(changed: ReadonlyMap<string, Phase>, isActiveNew: boolean): Generator<Token> {
    if (isActiveNew) yield* this.#tokens.byIndex(TOKEN_INDEX.reason, 'SigningKeyNotReady');
    for (const [kid, phase] of changed) yield* this.#concernedByKid(kid, phase);
  }

  *#concernedByKid(kid: string, phase: Phase): Generator<Token> {
    if (phase === 'Active' || phase === 'Published') return;
    // Earlier JWTs of a refused key are good no longer; of one that only signs no more, they are.
    const index = phase === 'Compromised' ? TOKEN_INDEX.anyKid : TOKEN_INDEX.kid;
    for (const token of this.#tokens.byIndex(index, kid)) {
      if (phase !== 'Retired' || token.status?.expiration === undefined) yield token;
    }
  }
}
