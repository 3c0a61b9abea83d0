import { readFile, writeFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import type { Cluster } from '../../cluster/cluster.ts';

/** Kernel ticks of a second, which Linux fixes for user space. */
const TICKS = 100;

/** CPU time of a process so far, in seconds (proc(5): utime and stime). */
export const cpuSecondsOf = async (pid: number): Promise<number> => {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS;
};

/** Likewise of the API server and etcd together. */
export const storageCpuSeconds = async (cluster: Cluster): Promise<number> => {
  const { apiserver, etcd } = await cluster.pids();
  if (apiserver === undefined || etcd === undefined) throw new Error('the control plane is not running');
  return (await cpuSecondsOf(apiserver)) + (await cpuSecondsOf(etcd));
};

const LOOK_MS = 100;
/** Of such a look, on one core. */
const AT_REST = 0.2;
const MOST_LOOKS = 50;

/**
 * Waits until API server and etcd have finished earlier work, so that it is not measured: five seconds at most, since
 * they are never wholly still.
 */
export const storageAtRest = async (cluster: Cluster): Promise<void> => {
  let before = await storageCpuSeconds(cluster);
  for (let looks = 0; looks < MOST_LOOKS; looks += 1) {
    await pause(LOOK_MS);
    const now = await storageCpuSeconds(cluster);
    if ((now - before) * 1000 <= AT_REST * LOOK_MS) return;
    before = now;
  }
};

const statusMiB = async (pid: number, field: 'VmRSS' | 'VmHWM'): Promise<number> => {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const line = status.split('\n').find((candidate) => candidate.startsWith(`${field}:`));
  return Number(line?.split(/\s+/)[1]) / 1024;
};

/** The value of clear_refs that sets the peak of resident memory back to what is resident now. */
const RESET_PEAK = '5';

/** Sets the peak of a process's resident memory back to what is resident now. */
export const resetPeak = (pid: number): Promise<void> => writeFile(`/proc/${pid}/clear_refs`, RESET_PEAK);

/** The highest resident memory of a process since {@link resetPeak}, in MiB. */
export const peakMiBOf = (pid: number): Promise<number> => statusMiB(pid, 'VmHWM');

/**
 * Runs `work` and returns by how much the resident memory of a process rose above what it was before, at its highest: the kernel
 * keeps that (proc(5): clear_refs, VmHWM), so that no moment is missed. MiB.
 */
export const risenMiB = async (pid: number, work: () => Promise<unknown>): Promise<number> => {
  await resetPeak(pid);
  const before = await statusMiB(pid, 'VmRSS');
  await work();
  return Math.max(0, (await peakMiBOf(pid)) - before);
};

/** Bytes of memory that a process has in RAM now (proc(5): VmRSS). */
export const residentBytesOf = async (pid: number): Promise<number> =>
  (await statusMiB(pid, 'VmRSS')) * 1024 * 1024;
