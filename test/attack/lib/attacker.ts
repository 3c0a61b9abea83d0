import type { Counter } from './counter.ts';
import type { Target } from './target.ts';

/** What an attacker works with. */
export interface AttackContext {
  readonly target: Target;
  readonly counter: Counter;
  /** Aborts when the attack is over. */
  readonly signal: AbortSignal;
}

/** Attacks until the signal aborts, or until there is nothing left to do. */
export type Attacker = (context: AttackContext) => Promise<void>;
