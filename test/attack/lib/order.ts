import type { Counts } from './counter.ts';
import type { Target } from './target.ts';

/** What an attacker's process sends when it has loaded its code. */
export const READY = 'ready';

/** What it sends when its attack is whole: each connection was opened once, or refused. */
export const WHOLE = 'whole';

/** What it is sent to begin. */
export interface AttackOrder {
  readonly attack: string;
  readonly target: Target;
}

/** What it is sent at the end. */
export const STOP = 'stop';

/** What it answers: what it did, or why it could not go on. */
export type AttackerReport =
  | { readonly counts: Counts; readonly peakMiB: number }
  | { readonly error: string };
