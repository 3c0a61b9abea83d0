/** What a title ends with whose tests are skipped for a reason. */
export const skippedSuffix = (reason: string): string => ` (skipped: ${reason})`;

/** A test as jest reports it. */
interface ReportedTest {
  readonly status: string;
  readonly ancestorTitles: readonly string[];
  readonly title: string;
}

/** Jest's results, as far as they are read. */
export interface ReportedRun {
  readonly testResults: readonly {
    readonly testFilePath: string;
    readonly testResults: readonly ReportedTest[];
  }[];
}

const reasonOf = ({ ancestorTitles, title }: ReportedTest): string | undefined => {
  for (const text of [...ancestorTitles, title]) {
    const match = /\(skipped: (.*)\)$/u.exec(text);
    if (match?.[1]) return match[1];
  }
  return undefined;
};

interface Listing {
  /** Paths are shown from here. */
  readonly root: string;
  /** Whether the run was narrowed to some names, which makes jest skip all others: those are not listed. */
  readonly isNarrowed: boolean;
}

/** Lines that list the skipped tests of a run by reason, with their files; none where nothing was skipped. */
export const describeSkipped = ({ testResults }: ReportedRun, { root, isNarrowed }: Listing): string[] => {
  const filesByReason = new Map<string, Map<string, number>>();
  for (const { testFilePath, testResults: tests } of testResults) {
    for (const test of tests) {
      if (test.status !== 'pending') continue;
      const reason = reasonOf(test) ?? (isNarrowed ? undefined : 'no reason is given');
      if (reason === undefined) continue;
      const files = filesByReason.get(reason) ?? new Map<string, number>();
      const file = testFilePath.replace(`${root}/`, '');
      filesByReason.set(reason, files.set(file, (files.get(file) ?? 0) + 1));
    }
  }
  const lines = [...filesByReason].flatMap(([reason, files]) => [
    `  ${reason}:`,
    ...[...files].map(([file, count]) => `    ${file} (${count} ${count === 1 ? 'test' : 'tests'})`),
  ]);
  return lines.length === 0 ? [] : ['Skipped:', ...lines];
};
