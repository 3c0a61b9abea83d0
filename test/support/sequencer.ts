import sequencer from '@jest/test-sequencer';

// The package's types describe its CommonJS entry; the default export of its ESM entry is the class.
const Sequencer = sequencer as unknown as typeof sequencer.default;

/** The longest suites, the longest first: a worker that begins one of them last works on when the other has ended. */
const LONGEST = [
  'faults/kills',
  'faults/idle',
  'integration/chart/upgrade',
  'integration/servers/outages',
  'integration/servers/kills',
  'integration/operator/process',
  'integration/servers/replicas',
  'integration/http/validated',
  'integration/servers/owners',
];

const rankOf = (path: string): number => {
  const at = LONGEST.findIndex((suite) => path.endsWith(`/test/${suite}.test.ts`));
  if (at >= 0) return at;
  return path.includes('/test/unit/') ? LONGEST.length + 1 : LONGEST.length;
};

/** Starts with the longest suites and ends with unit tests; in between, jest's own order: by the last run's times, if there was one. */
export default class LongestFirst extends Sequencer {
  override async sort(tests: Parameters<sequencer.default['sort']>[0]) {
    const sorted = await super.sort(tests);
    return sorted.toSorted((a, b) => rankOf(a.path) - rankOf(b.path));
  }
}
