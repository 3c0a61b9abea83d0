import { describe } from '@jest/globals';
import { isFound } from '../cluster/binaries.ts';
import type { BinaryName } from '../cluster/binary-sources.ts';
import { skippedSuffix } from './skip-reasons.ts';

/** Why tests that run `names` can't, or undefined where all are found. Tests never build them: `make test` does so before. */
export const whyMissing = async (...names: readonly BinaryName[]): Promise<string | undefined> => {
  const missing: string[] = [];
  for (const name of names) if (!(await isFound(name))) missing.push(name);
  if (missing.length === 0) return undefined;
  return `${missing.join(' and ')} not found; \`make programs\` obtains what can be had here`;
};

/** `describe`, or with a reason one whose tests are skipped and whose title says why. */
export const suiteUnless = (reason: string | undefined) => {
  const declare = reason === undefined ? describe : describe.skip;
  const suffix = reason === undefined ? '' : skippedSuffix(reason);
  return Object.assign((title: string, body: () => void): void => declare(`${title}${suffix}`, body), {
    each:
      <Row extends object>(rows: readonly Row[]) =>
      (title: string, body: (row: Row) => void): void =>
        declare.each(rows)(`${title}${suffix}`, body),
  });
};
