import type { Counter } from './counter.ts';
import type { Target } from './target.ts';

/** What an attacker works with. */
export interface AttackContext {
  readonly target: Target;
  readonly counter: Counter;
  /** Says that the attack is not whole yet, as while connections are being opened; the function that it returns says that it is. */
  readonly prepare: () => () => void;
  /** Aborts when the attack is over. */
  readonly signal: AbortSignal;
}

/** Attacks until the signal aborts, or until there is nothing left to do. */
export type Attacker = (context: AttackContext) => Promise<void>;
