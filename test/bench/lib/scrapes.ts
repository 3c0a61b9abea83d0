import { readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { join } from 'node:path';
import type { OperatorProcess } from '../../support/operator-process.ts';

/** The longest block of an event loop. */
export interface Block {
  readonly ms: number;
  /** CPU time of the turn that worked longest, in milliseconds: on a busy machine a turn lasts longer than it works. */
  readonly cpuMs: number;
}

/** The worst of several. */
export const worstOf = (blocks: readonly Block[]): Block => ({
  ms: Math.max(...blocks.map(({ ms }) => ms)),
  cpuMs: Math.max(...blocks.map(({ cpuMs }) => cpuMs)),
});

/** The metrics of an operator, and the longest time for which its event loop was blocked. */
export interface Scrapes {
  /** The sum over all label sets of a metric that contain `labels`. */
  sum(name: string, labels?: string): Promise<number>;
  /** The longest block since the last call of this function, or since the operations listener's start. */
  longestBlock(): Promise<Block>;
}

const LAG = 'nodejs_eventloop_lag_max_seconds';

const PROGRAM = stripTypeScriptTypes(readFileSync(join(import.meta.dirname, 'turn-meter.ts'), 'utf8'));

/** Options of an operator whose turns are metered. */
export const METERED = {
  env: { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(PROGRAM)}` },
};

const sumOf = (text: string, name: string, labels: string): number =>
  text
    .split('\n')
    .filter((line) => line.startsWith(`${name} `) || (line.startsWith(`${name}{`) && line.includes(labels)))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);

/**
 * Scrapes an operator. Each scrape sets its {@link LAG} back, which is the longest delay of a timer of 10 ms and those 10 ms: nothing
 * else may scrape it meanwhile.
 */
export const scrapesOf = ({ opsUrl, log }: OperatorProcess): Scrapes => {
  let longest = 0;
  // The first turn loads the program: no request can wait yet.
  let from = log.findIndex(({ message }) => message === 'turn') + 1;
  const scrape = async (): Promise<string> => {
    const text = await (await fetch(`${opsUrl}/metrics`)).text();
    longest = Math.max(longest, sumOf(text, LAG, ''));
    return text;
  };
  return {
    sum: async (name, labels = '') => sumOf(await scrape(), name, labels),
    longestBlock: async () => {
      await scrape();
      const turns = log.slice(from).filter(({ message }) => message === 'turn');
      const found = { ms: longest * 1000, cpuMs: Math.max(0, ...turns.map(({ cpuMs }) => Number(cpuMs))) };
      longest = 0;
      from = log.length;
      return found;
    },
  };
};
