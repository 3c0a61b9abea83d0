import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { stripTypeScriptTypes } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BenchEnv } from '../../bench/lib/bench-env.ts';
import { openPod } from '../../bench/lib/pod.ts';
import { residentBytesOf } from '../../bench/lib/processes.ts';
import { METERED } from '../../bench/lib/scrapes.ts';
import { createCertificates } from '../../cluster/certificates.ts';
import { eventually } from '../../support/eventually.ts';
import {
  LOOPBACK_CONFIG,
  type OperatorOptions,
  type OperatorProcess,
} from '../../support/operator-process.ts';
import { HOST, type Target } from '../lib/target.ts';
import { missingListeners } from './revision.ts';

/** The longest turn of the operator's event loop. */
export interface Turn {
  readonly ms: number;
  /** CPU time of the turn that worked longest: on a busy machine a turn lasts longer than it works. */
  readonly cpuMs: number;
}

/** One replica under attack, the leader, as its pod runs it. */
export interface Replica {
  readonly process: OperatorProcess;
  readonly ports: Target['ports'];
  /** Aborts when the process has ended. */
  readonly ended: AbortSignal;
  /** Resident memory when it was ready, in bytes. */
  readonly bytesAtStart: number;
  /** The longest turn since the last call. */
  takeTurn(): Turn;
  /** What its heap and its buffers hold once garbage is collected, in bytes. */
  retainedBytes(): Promise<number>;
  stop(): Promise<void>;
}

/** Written once for a run. */
export interface TlsFiles {
  readonly config: { readonly certFile: string; readonly keyFile: string };
  remove(): Promise<void>;
}

/** Makes a certificate for loopback. */
export const writeTlsFiles = async (): Promise<TlsFiles> => {
  const folder = await mkdtemp(join(tmpdir(), 'm2m-attack-'));
  const { serving } = await createCertificates([HOST, 'localhost']);
  const config = { certFile: join(folder, 'tls.crt'), keyFile: join(folder, 'tls.key') };
  await writeFile(config.certFile, serving.certificate);
  await writeFile(config.keyFile, serving.key, { mode: 0o600 });
  return { config, remove: () => rm(folder, { recursive: true }) };
};

const LISTENERS: Readonly<Record<keyof Target['ports'], RegExp>> = {
  grpc: /^gRPC listener started$/,
  http: /^HTTP listener started$/,
  ops: /^operations listener started$/,
  probes: /^prob\w* listener started$/i,
};

const portIn = ({ log }: OperatorProcess, listener: keyof Target['ports']): number | undefined => {
  const port = log.find(({ message }) => LISTENERS[listener].test(message))?.port;
  return port === undefined ? undefined : Number(port);
};

/** As the chart configures it, but for ports and addresses. A revision is given no listener that it does not know. */
const configOf = async (
  root: string,
  tls: TlsFiles['config'],
): Promise<NonNullable<OperatorOptions['config']>> => ({
  grpc: { ...LOOPBACK_CONFIG.grpc, tls },
  http: { ...LOOPBACK_CONFIG.http, tls },
  ...(await configWithoutMissing(root)),
});

/** What keeps a revision from getting the configuration of a listener that it does not know. */
export const configWithoutMissing = async (root: string): Promise<NonNullable<OperatorOptions['config']>> =>
  Object.fromEntries((await missingListeners(root)).map((listener) => [listener, undefined]));

const RETAINED_METER = stripTypeScriptTypes(
  readFileSync(join(import.meta.dirname, 'retained-meter.ts'), 'utf8'),
);

/** What is loaded into it besides its own code, which measures. */
const METERS = `${METERED.env.NODE_OPTIONS} --import=data:text/javascript,${encodeURIComponent(RETAINED_METER)}`;

const RETAINED_MS = 30_000;
const STOP_MS = 20_000;

interface ReplicaOptions {
  readonly root: string;
  readonly tls: TlsFiles['config'];
  /** Whether it is waited for until it leads; true unless given. */
  readonly leads?: boolean;
}

/** The heap that Node takes in a container with the chart's limit of 512 MiB: half of it. Without a limit it collects garbage later. */
const HEAP = '--max-old-space-size=256';

/** What the chart's startup probe allows. */
const STARTUP_MS = 120_000;

/** Starts one; it is ready when this resolves. */
export const startReplica = async (
  env: BenchEnv,
  { root, tls, leads = true }: ReplicaOptions,
): Promise<Replica> => {
  const config = await configOf(root, tls);
  const hasProbes = !('probes' in config);
  const pod = await openPod(env);
  let worst: Turn = { ms: 0, cpuMs: 0 };
  const retained = new EventTarget();
  const operator = await env.operator({
    config,
    ...pod.options,
    env: { ...pod.options.env, NODE_OPTIONS: `${HEAP} ${METERS}`, NODE_ENV: 'production' },
    onLog: ({ message, ms, cpuMs, bytes }) => {
      if (message === 'retained') retained.dispatchEvent(new CustomEvent('bytes', { detail: Number(bytes) }));
      if (message !== 'turn') return;
      worst = { ms: Math.max(worst.ms, Number(ms)), cpuMs: Math.max(worst.cpuMs, Number(cpuMs)) };
    },
  });
  const ended = new AbortController();
  void operator.exited.then(() => ended.abort(new Error('the operator ended')));
  await operator.ready(STARTUP_MS);
  if (leads) {
    await eventually(async () => (await operator.metric('m2moauth_leader')) === 1, { timeoutMs: 60_000 });
  }
  await pod.close();
  const port = (listener: keyof Target['ports']): Promise<number> =>
    eventually(() => {
      const found = portIn(operator, listener);
      if (found === undefined) throw new Error(`the log names no port of the listener ${listener}`);
      return found;
    });
  const [grpc, http, ops] = [await port('grpc'), await port('http'), await port('ops')];
  const probes = hasProbes ? await port('probes') : ops;
  return {
    process: operator,
    ports: { grpc, http, ops, probes },
    ended: ended.signal,
    bytesAtStart: await residentBytesOf(operator.pid),
    takeTurn: () => {
      const taken = worst;
      worst = { ms: 0, cpuMs: 0 };
      return taken;
    },
    retainedBytes: async () => {
      const measured = once(retained, 'bytes', { signal: AbortSignal.timeout(RETAINED_MS) });
      process.kill(operator.pid, 'SIGUSR2');
      const [event] = await measured;
      return (event as CustomEvent<number>).detail;
    },
    stop: async () => {
      const timer = setTimeout(() => void operator.kill(), STOP_MS);
      await operator.stop();
      clearTimeout(timer);
    },
  };
};
