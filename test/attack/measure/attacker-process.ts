import { fork } from 'node:child_process';
import { once } from 'node:events';
import { setPriority } from 'node:os';
import { join } from 'node:path';
import { type AttackerReport, type AttackOrder, STOP } from '../lib/order.ts';

const PROGRAM = join(import.meta.dirname, '../attacker.ts');

/** Behind the operator and the control plane: in a network the attacker's CPU is not theirs. */
const NICENESS = 5;

/** A process that attacks when it is ordered to. */
export interface AttackerProcess {
  /** Begins the attack; resolves when the attacker has nothing left to do, or has failed. */
  attack(order: AttackOrder): Promise<void>;
  /** Ends it; what the attacker did. @throws Error where it failed by itself */
  stop(): Promise<Extract<AttackerReport, { counts: unknown }>>;
}

const READY_MS = 60_000;

/** Starts the process; it has loaded its code when this resolves. */
export const startAttacker = async (): Promise<AttackerProcess> => {
  const child = fork(PROGRAM, {
    execArgv: ['--disable-warning=ExperimentalWarning', '--max-old-space-size=192'],
    env: { ...process.env, NODE_OPTIONS: '' },
  });
  if (child.pid !== undefined) setPriority(child.pid, NICENESS);
  const exited = once(child, 'exit').then(([code]): AttackerReport => ({ error: `it ended with ${code}` }));
  await once(child, 'message', { signal: AbortSignal.timeout(READY_MS) });
  const reported = once(child, 'message').then(([message]) => message as AttackerReport);
  const first = Promise.race([reported, exited]);
  return {
    attack: async (order) => {
      child.send(order);
      await first;
    },
    stop: async () => {
      if (child.connected) child.send(STOP, () => undefined);
      const report = await first;
      await exited;
      if ('error' in report) throw new Error(`the attacker failed: ${report.error}`);
      return report;
    },
  };
};
