import { describe, expect, test } from '@jest/globals';
import { describeSkipped, type ReportedRun, skippedSuffix } from '../../support/skip-reasons.ts';

const pending = (title: string, ...ancestorTitles: string[]) => ({
  status: 'pending',
  title,
  ancestorTitles,
});

const RUN: ReportedRun = {
  testResults: [
    {
      testFilePath: '/repo/test/integration/a.test.ts',
      testResults: [
        pending('works', `helm${skippedSuffix('helm not found (no Go)')}`, 'inside'),
        pending('works too', `helm${skippedSuffix('helm not found (no Go)')}`),
        { status: 'passed', title: `says${skippedSuffix('nothing')}`, ancestorTitles: [] },
      ],
    },
    {
      testFilePath: '/repo/test/integration/b.test.ts',
      testResults: [
        pending('works', `upgrade${skippedSuffix('helm not found (no Go)')}`),
        pending(`alone${skippedSuffix('no root')}`),
        pending('silently'),
      ],
    },
  ],
};

describe('describeSkipped', () => {
  test('lists tests by reason, with their files', () => {
    expect(describeSkipped(RUN, { root: '/repo', isNarrowed: false })).toEqual([
      'Skipped:',
      '  helm not found (no Go):',
      '    test/integration/a.test.ts (2 tests)',
      '    test/integration/b.test.ts (1 test)',
      '  no root:',
      '    test/integration/b.test.ts (1 test)',
      '  no reason is given:',
      '    test/integration/b.test.ts (1 test)',
    ]);
  });

  test('leaves out what jest skips because a run is narrowed to other names', () => {
    expect(describeSkipped(RUN, { root: '/repo', isNarrowed: true }).join('\n')).not.toContain('no reason');
  });

  test('says nothing where nothing was skipped', () => {
    expect(describeSkipped({ testResults: [] }, { root: '/repo', isNarrowed: false })).toEqual([]);
  });
});
