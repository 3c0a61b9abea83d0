import { mkdtemp, rm, writeFile } from 'node:fs/promises';
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
import { hasProbeListener } from './revision.ts';

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

/** As the chart configures it, but for ports and addresses. */
const optionsOf = (tls: TlsFiles['config'], withProbes: boolean): Partial<OperatorOptions> => ({
  config: {
    grpc: { ...LOOPBACK_CONFIG.grpc, tls },
    http: { ...LOOPBACK_CONFIG.http, tls },
    ops: LOOPBACK_CONFIG.ops,
    ...(withProbes && { probes: { address: `${HOST}:0` } }),
  },
});

const STOP_MS = 20_000;

/** Starts one; it is ready and leads when this resolves. */
export const startReplica = async (
  env: BenchEnv,
  { root, tls }: { readonly root: string; readonly tls: TlsFiles['config'] },
): Promise<Replica> => {
  const withProbes = await hasProbeListener(root);
  const pod = await openPod(env);
  let worst: Turn = { ms: 0, cpuMs: 0 };
  const operator = await env.operator({
    ...optionsOf(tls, withProbes),
    ...pod.options,
    env: { ...pod.options.env, ...METERED.env, NODE_ENV: 'production' },
    onLog: ({ message, ms, cpuMs }) => {
      if (message !== 'turn') return;
      worst = { ms: Math.max(worst.ms, Number(ms)), cpuMs: Math.max(worst.cpuMs, Number(cpuMs)) };
    },
  });
  const ended = new AbortController();
  void operator.exited.then(() => ended.abort(new Error('the operator ended')));
  await operator.ready();
  await eventually(async () => (await operator.metric('m2moauth_leader')) === 1, { timeoutMs: 60_000 });
  await pod.close();
  const port = (listener: keyof Target['ports']): Promise<number> =>
    eventually(() => {
      const found = portIn(operator, listener);
      if (found === undefined) throw new Error(`the log names no port of the listener ${listener}`);
      return found;
    });
  const [grpc, http, ops] = [await port('grpc'), await port('http'), await port('ops')];
  const probes = withProbes ? await port('probes') : ops;
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
    stop: async () => {
      const timer = setTimeout(() => void operator.kill(), STOP_MS);
      await operator.stop();
      clearTimeout(timer);
    },
  };
};
