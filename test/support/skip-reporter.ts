import { writeSync } from 'node:fs';
import { describeSkipped, type ReportedRun } from './skip-reasons.ts';

/** A reporter of jest that says at the very end, after its summary, which tests were skipped and why. */
export default class SkipReporter {
  readonly #listing: { readonly root: string; readonly isNarrowed: boolean };

  constructor({ rootDir, testNamePattern }: { readonly rootDir: string; readonly testNamePattern?: string }) {
    this.#listing = { root: rootDir, isNarrowed: Boolean(testNamePattern) };
  }

  onRunComplete(_contexts: unknown, results: ReportedRun): void {
    const lines = describeSkipped(results, this.#listing);
    if (lines.length === 0) return;
    // Jest's own summary is written after this call, whatever the order of reporters.
    process.once('exit', () => writeSync(2, `\n${lines.join('\n')}\n`));
  }
}
