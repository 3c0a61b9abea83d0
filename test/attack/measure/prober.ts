import { request } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { HOST, PROBER_ADDRESS, type Target } from '../lib/target.ts';

/** How probes went. */
export interface ProbeRound {
  readonly answered: number;
  /** Not answered with 200 within the time that the chart gives a probe. */
  readonly failed: number;
  readonly slowestMs: number;
}

const PATHS = ['/healthz', '/readyz'];
const EVERY_MS = 200;
/** `timeoutSeconds` of the chart's readiness probe. */
const TIMEOUT_MS = 3000;

/** As kubelet: each probe over a new connection. */
const probe = (port: number, path: string): Promise<void> =>
  new Promise((resolve, reject) => {
    const call = request({
      host: HOST,
      port,
      path,
      localAddress: PROBER_ADDRESS,
      agent: false,
      headers: { connection: 'close' },
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    call.on('error', reject);
    call.on('response', (response) => {
      response.resume();
      response.on('error', reject);
      response.on('end', () =>
        response.statusCode === 200 ? resolve() : reject(new Error(`${path}: ${response.statusCode}`)),
      );
    });
    call.end();
  });

/** Asks both probes every 200 ms until the signal aborts. */
export const probeUntil = async ({ ports }: Target, signal: AbortSignal): Promise<ProbeRound> => {
  let [answered, failed, slowestMs] = [0, 0, 0];
  const ask = async (path: string): Promise<void> => {
    const began = performance.now();
    try {
      await probe(ports.probes, path);
      answered += 1;
    } catch {
      failed += 1;
    }
    slowestMs = Math.max(slowestMs, performance.now() - began);
  };
  const asked: Promise<void>[] = [];
  while (!signal.aborted) {
    asked.push(...PATHS.map(ask));
    await pause(EVERY_MS, undefined, { signal }).catch(() => undefined);
  }
  await Promise.all(asked);
  return { answered, failed, slowestMs };
};
