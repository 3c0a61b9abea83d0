import type { BenchEnv } from '../bench/lib/bench-env.ts';
import type { Attacker } from './lib/attacker.ts';
import type { Target } from './lib/target.ts';
import type { Replica } from './measure/replica.ts';

/** An attack, and what it may do at most besides the bounds of all (measure/bounds.ts). */
export interface Attack {
  readonly name: string;
  /** What it does, in a sentence. */
  readonly does: string;
  readonly run: Attacker;
  /** Whether it goes beyond a limit, at the latest ten seconds after it is whole, so that the operator has to reject or cut off some of it. */
  readonly isRefused: boolean;
  /** Set while it is known to succeed: what it still does. A short run, in CI, then shows it and does not fail by it; a full one does. */
  readonly stillSucceeds?: string;
  /** How many times its usual p99 the honest client's may be; 10 unless given. */
  readonly slowdown?: number;
  /** The client that it attacks by name; a second honest client calls as this one, instead of from the attacker's address. */
  readonly victim?: string;
  /** How long it is, whatever is asked for: it has a known amount of work, and ends when that is done. */
  readonly seconds?: number;
  /** Runs beside it, in the process that measures, until the signal aborts. */
  alongside?(scene: Scene, signal: AbortSignal): Promise<readonly Check[]>;
}

/** What is attacked, and how long. */
export interface Scene {
  readonly env: BenchEnv;
  readonly replica: Replica;
  readonly target: Target;
  readonly seconds: number;
  /** Starts one more replica, which does not lead; it is ready when this resolves. */
  startAnother(): Promise<Replica>;
}

/** A bound that only one attack has. */
export interface Check {
  readonly bound: string;
  readonly holds: boolean;
  /** What was measured. */
  readonly found: string;
  /** Whether it is a time, which a short run prints and does not fail by. */
  readonly isTime?: boolean;
}
