import type { OperatorProcess } from '../support/operator-process.ts';

/** The metrics of an operator, and the longest time for which its event loop was blocked. */
export interface Scrapes {
  /** The sum over all label sets of a metric that contain `labels`. */
  sum(name: string, labels?: string): Promise<number>;
  /** The longest block since the last call of this function, or since the start, in milliseconds. */
  longestBlockMs(): Promise<number>;
}

const LAG = 'nodejs_eventloop_lag_max_seconds';

const sumOf = (text: string, name: string, labels: string): number =>
  text
    .split('\n')
    .filter((line) => line.startsWith(`${name} `) || (line.startsWith(`${name}{`) && line.includes(labels)))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);

/**
 * Scrapes an operator. Each scrape sets its {@link LAG} back, which is the longest delay of a timer of 10 ms and those 10 ms: nothing
 * else may scrape it meanwhile.
 */
export const scrapesOf = ({ opsUrl }: OperatorProcess): Scrapes => {
  let longest = 0;
  const scrape = async (): Promise<string> => {
    const text = await (await fetch(`${opsUrl}/metrics`)).text();
    longest = Math.max(longest, sumOf(text, LAG, ''));
    return text;
  };
  return {
    sum: async (name, labels = '') => sumOf(await scrape(), name, labels),
    longestBlockMs: async () => {
      await scrape();
      const found = longest * 1000;
      longest = 0;
      return found;
    },
  };
};
