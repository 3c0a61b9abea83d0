import { setTimeout as pause } from 'node:timers/promises';
import { peakMiBOf, resetPeak, residentBytesOf } from '../../bench/lib/processes.ts';
import { QUICK } from '../../bench/lib/scale.ts';
import type { Attack, Check, Scene } from '../attack.ts';
import type { Counts } from '../lib/counter.ts';
import { attackerAddress, HONEST_ADDRESS, type Target } from '../lib/target.ts';
import { type AttackerProcess, startAttacker } from './attacker-process.ts';
import { type HonestClient, type HonestRound, openHonestClient } from './honest-client.ts';
import { type LeaseRound, watchLease } from './lease.ts';
import { type ProbeRound, probeUntil } from './prober.ts';
import type { Replica, Turn } from './replica.ts';

/** What one attack showed. */
export interface Measurement {
  readonly peakMiB: number;
  readonly turn: Turn;
  readonly probes: ProbeRound;
  readonly lease: LeaseRound;
  /** Whether the operator's process ended. */
  readonly hasEnded: boolean;
  /** The honest client before and during the attack. */
  readonly usual: HonestRound;
  readonly during: HonestRound;
  /** The other honest client during the attack: it calls from the attacker's address, or as the client that is attacked. */
  readonly beside: HonestRound;
  readonly counts: Counts;
  readonly refusals: number;
  /** Bounds that only this attack has. */
  readonly checks: readonly Check[];
}

const CALM_MS = QUICK ? 1500 : 5000;
const PER_SECOND = 20;
const BESIDE_PER_SECOND = 5;

/** Beyond this the attack is over: it has won, and the machine has others to serve. */
const LOST_BYTES = 1000 * 1024 * 1024;
const LOOK_MS = 100;

/** Aborts when the operator's memory is beyond {@link LOST_BYTES}. */
const abortWhenLost = async ({ pid }: Replica['process'], over: AbortController): Promise<void> => {
  while (!over.signal.aborted) {
    const bytes = await residentBytesOf(pid).catch(() => 0);
    if (bytes > LOST_BYTES) over.abort();
    await pause(LOOK_MS);
  }
};

/** Remembers the peak, which the kernel forgets with the process. */
const peakUntil = async (pid: number, over: AbortSignal): Promise<number> => {
  let peak = 0;
  const look = async (): Promise<void> => {
    const now = await peakMiBOf(pid).catch(() => Number.NaN);
    // A process that has ended has none.
    if (now > peak) peak = now;
  };
  while (!over.aborted) {
    await look();
    await pause(LOOK_MS);
  }
  await look();
  return peak;
};

interface HonestClients {
  readonly main: HonestClient;
  readonly beside: HonestClient;
}

const honestClients = (attack: Attack, target: Target): HonestClients => ({
  main: openHonestClient({ target, from: HONEST_ADDRESS, clientId: 'bench', perSecond: PER_SECOND }),
  beside: openHonestClient({
    target,
    perSecond: BESIDE_PER_SECOND,
    ...(attack.victim === undefined
      ? { from: attackerAddress(0), clientId: 'bench' }
      : { from: HONEST_ADDRESS, clientId: attack.victim }),
  }),
});

type Watched = Omit<Measurement, 'turn' | 'hasEnded' | 'usual' | 'counts' | 'refusals'>;

/** Measures until the attack is over. */
const watchAttack = async (
  attack: Attack,
  scene: Scene,
  { honest, over }: { readonly honest: HonestClients; readonly over: AbortController },
): Promise<Watched> => {
  const { env, replica, target } = scene;
  const [during, beside, probes, lease, peakMiB, checks] = await Promise.all([
    honest.main.run(over.signal),
    honest.beside.run(over.signal),
    probeUntil(target, over.signal),
    watchLease(env, over.signal),
    peakUntil(replica.process.pid, over.signal),
    attack.alongside?.(scene, over.signal) ?? [],
    abortWhenLost(replica.process, over),
  ]);
  return { during, beside, probes, lease, peakMiB, checks };
};

/** Aborts when the attack has been whole for its time, when the attacker has done its work, or when the operator has ended. */
const abortAtEnd = async (
  attacker: AttackerProcess,
  { attack, scene, over }: { readonly attack: Attack; readonly scene: Scene; readonly over: AbortController },
): Promise<void> => {
  const { replica, target } = scene;
  replica.ended.addEventListener('abort', () => over.abort(), { once: true });
  void attacker.ended.then(() => over.abort());
  await attacker.attack({ attack: attack.name, target });
  const seconds = attack.seconds ?? scene.seconds;
  await pause(seconds * 1000, undefined, { signal: over.signal }).catch(() => undefined);
  over.abort();
};

/** What limits have refused or shed, as the replica counts it; 0 for a revision that does not, or a replica that does not answer. */
const refusedBy = async ({ process, ended }: Replica): Promise<number> => {
  if (ended.aborted) return 0;
  const names = ['m2moauth_server_limits_total', 'm2moauth_requests_dropped_total'];
  const counts = await Promise.all(names.map((name) => process.sum(name).catch(() => 0)));
  return counts.reduce((sum, count) => sum + count, 0);
};

/** An attacker that reads nothing does not see that its requests are rejected: then the replica's count is taken. */
const withRefusals = ({ counts }: { readonly counts: Counts }, counted: number): Counts => {
  const isSeen = Object.keys(counts.refusals).length > 0;
  return isSeen || counted <= 0 ? counts : { ...counts, refusals: { 'counted by the replica': counted } };
};

/** Runs one attack against one replica. @throws Error where the attack did not take place */
export const measureAttack = async (attack: Attack, scene: Scene): Promise<Measurement> => {
  const { replica, target } = scene;
  const attacker = await startAttacker();
  const honest = honestClients(attack, target);
  const over = new AbortController();
  try {
    const calm = AbortSignal.timeout(CALM_MS);
    const [usual] = await Promise.all([honest.main.run(calm), honest.beside.run(calm)]);
    await resetPeak(replica.process.pid);
    const refusedBefore = await refusedBy(replica);
    replica.takeTurn();
    const [watched] = await Promise.all([
      watchAttack(attack, scene, { honest, over }),
      abortAtEnd(attacker, { attack, scene, over }),
    ]);
    const turn = replica.takeTurn();
    const hasEnded = replica.ended.aborted;
    const counts = withRefusals(await attacker.stop(), (await refusedBy(replica)) - refusedBefore);
    const refusals = Object.values(counts.refusals).reduce((sum, times) => sum + times, 0);
    if (counts.accepted === 0 && refusals === 0) {
      throw new Error(`it did not take place: ${JSON.stringify(counts)}`);
    }
    return { ...watched, turn, hasEnded, usual, counts, refusals };
  } finally {
    over.abort();
    attacker.kill();
    honest.main.close();
    honest.beside.close();
  }
};
