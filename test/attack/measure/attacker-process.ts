import { fork } from 'node:child_process';
import { once } from 'node:events';
import { setPriority } from 'node:os';
import { join } from 'node:path';
import { type AttackerReport, type AttackOrder, STOP } from '../lib/order.ts';

const PROGRAM = join(import.meta.dirname, '../attacker.ts');

/** Behind the operator and the control plane: in a network the attacker's CPU is not theirs. */
const NICENESS = 10;

/** An attack that goes on in another process. */
export interface AttackerProcess {
  /** Resolves when the attacker has nothing left to do. */
  readonly ended: Promise<void>;
  /** Ends the attack; what the attacker did. @throws Error where it failed by itself */
  stop(): Promise<Extract<AttackerReport, { counts: unknown }>>;
}

/** Begins an attack. */
export const startAttacker = (order: AttackOrder): AttackerProcess => {
  const child = fork(PROGRAM, {
    execArgv: ['--disable-warning=ExperimentalWarning', '--max-old-space-size=192'],
    env: { ...process.env, NODE_OPTIONS: '' },
  });
  const reported = once(child, 'message').then(([message]) => message as AttackerReport);
  const exited = once(child, 'exit').then(([code]): AttackerReport => ({ error: `it ended with ${code}` }));
  const first = Promise.race([reported, exited]);
  if (child.pid !== undefined) setPriority(child.pid, NICENESS);
  child.send(order);
  return {
    ended: first.then(() => undefined),
    stop: async () => {
      if (child.connected) child.send(STOP, () => undefined);
      const report = await first;
      await exited;
      if ('error' in report) throw new Error(`the attacker of ${order.attack} failed: ${report.error}`);
      return report;
    },
  };
};
