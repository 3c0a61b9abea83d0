import type { Token } from '../api/token.ts';
import type { Cache, CacheChange } from '../ports/cache.ts';
import type { Keyring } from '../ports/signing.ts';
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

  /** Takes note of the kid of a Token. */
  learn(change: CacheChange<Token>): void {
    const kid = change.type === 'set' ? change.object.status?.keyID : undefined;
    if (kid !== undefined && !this.#phases.has(kid)) this.#phases.set(kid, this.#keyring.phase(kid));
  }

  /** Tokens whose plan the keyring has changed since the last call; some come twice. */
  *concerned(): Generator<Token> {
    const activeKid = this.#keyring.active()?.kid;
    const isActiveNew = activeKid !== this.#activeKid;
    this.#activeKid = activeKid;
    if (isActiveNew) yield* this.#tokens.byIndex(TOKEN_INDEX.reason, 'SigningKeyNotReady');
    for (const [kid, before] of this.#phases) {
      const phase = this.#keyring.phase(kid);
      // An unknown kid counts against a Token only while there is an active one to replace it.
      const isUnknownNow = phase === undefined && isActiveNew && activeKid !== undefined;
      if (phase === before && !isUnknownNow) continue;
      this.#phases.set(kid, phase);
      yield* this.#concernedBy(kid, phase);
      if (this.#tokens.countByIndex(TOKEN_INDEX.kid, kid) === 0) this.#phases.delete(kid);
    }
  }

  *#concernedBy(kid: string, phase: Phase): Generator<Token> {
    if (phase === 'Active' || phase === 'Published') return;
    for (const token of this.#tokens.byIndex(TOKEN_INDEX.kid, kid)) {
      if (phase !== 'Retired' || token.status?.expiration === undefined) yield token;
    }
  }
}
