import { expect, test } from '@jest/globals';
import { needsUnitTestsOnly } from '../../support/jest-arguments.ts';

test.each([
  ['test/unit/domain'],
  ['./test/unit/domain', 'test/unit/kube/client.test.ts'],
  ['test/unit/domain', '-t', 'renewal'],
  ['--ci', '--outputFile=x.json', 'test/unit/domain'],
  ['--runTestsByPath', 'test/unit/a.test.ts'],
  ['--selectProjects=unit', 'anything'],
  ['--selectProjects', 'unit', '--ci'],
])('%p %p %p needs unit tests only', (...args) => {
  expect(needsUnitTestsOnly(args.filter((arg) => arg !== undefined))).toBe(true);
});

test.each([
  [],
  ['-t', 'renewal'],
  ['-t', 'test/unit/domain'],
  ['test/integration/chart', 'test/unit/domain'],
  ['unit'],
  ['--ci', '--json'],
  ['--selectProjects', 'unit', 'integration'],
  ['--selectProjects=integration', 'test/unit/domain'],
])('%p %p %p may need more', (...args) => {
  expect(needsUnitTestsOnly(args.filter((arg) => arg !== undefined))).toBe(false);
});
