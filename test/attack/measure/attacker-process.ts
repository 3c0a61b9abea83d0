import { fork } from 'node:child_process';
import { once } from 'node:events';
import { setPriority } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { type AttackerReport, type AttackOrder, STOP, WHOLE } from '../lib/order.ts';

const PROGRAM = join(import.meta.dirname, '../attacker.ts');

/** Behind the operator and the control plane: in a network the attacker's CPU is not theirs. */
const NICENESS = 5;

/** A process that attacks when it is ordered to. */
export interface AttackerProcess {
  /** Begins; resolves when the attack is whole, or after {@link WHOLE_MS}. */
  attack(order: AttackOrder): Promise<void>;
  /** Resolves when the attacker has nothing left to do, or has failed. */
  readonly ended: Promise<void>;
  /** Ends it; what the attacker did. @throws Error where it failed by itself */
  stop(): Promise<Extract<AttackerReport, { counts: unknown }>>;
  /** Whatever it does, it is gone. */
  kill(): void;
}

const READY_MS = 60_000;
/** The longest time for an attack to become whole. */
const WHOLE_MS = 30_000;

/** Starts the process; it has loaded its code when this resolves. */
export const startAttacker = async (): Promise<AttackerProcess> => {
  const child = fork(PROGRAM, {
    execArgv: ['--disable-warning=ExperimentalWarning', '--max-old-space-size=192'],
    env: { ...process.env, NODE_OPTIONS: '' },
  });
  if (child.pid !== undefined) setPriority(child.pid, NICENESS);
  const exited = once(child, 'exit').then(([code]): AttackerReport => ({ error: `it ended with ${code}` }));
  await once(child, 'message', { signal: AbortSignal.timeout(READY_MS) });
  const whole = new EventTarget();
  const reported = new Promise<AttackerReport>((resolve) =>
    child.on('message', (message: AttackerReport | typeof WHOLE) => {
      if (message === WHOLE) whole.dispatchEvent(new Event(WHOLE));
      else resolve(message);
    }),
  );
  const first = Promise.race([reported, exited]);
  return {
    attack: async (order) => {
      const isWhole = once(whole, WHOLE);
      child.send(order);
      await Promise.race([isWhole, first, pause(WHOLE_MS, undefined, { ref: false })]);
    },
    ended: first.then(() => undefined),
    kill: () => void child.kill('SIGKILL'),
    stop: async () => {
      if (child.connected) child.send(STOP, () => undefined);
      const report = await first;
      await exited;
      if ('error' in report) throw new Error(`the attacker failed: ${report.error}`);
      return report;
    },
  };
};
