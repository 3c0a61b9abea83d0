import { describe, expect, test } from '@jest/globals';
import { type Condition, findCondition, removeCondition, setCondition } from '../../../operator/api/meta.ts';

const result = { type: 'Ready', status: 'True', reason: 'Issued', message: 'is valid' } as const;
const at = (now: string) => ({ now, observedGeneration: 2 });
const before: Condition = { ...result, lastTransitionTime: 'then', observedGeneration: 1 };

describe('setting a condition', () => {
  test('adds one that is new, with the time of its coming', () => {
    expect(setCondition(undefined, result, at('now'))).toEqual([
      { ...result, lastTransitionTime: 'now', observedGeneration: 2 },
    ]);
  });

  test('keeps the time while the status stays, even if reason and message change', () => {
    const next = { ...result, reason: 'Issuing', message: 'is being made' };
    expect(setCondition([before], next, at('now'))).toEqual([
      { ...next, lastTransitionTime: 'then', observedGeneration: 2 },
    ]);
  });

  test('moves the time when the status changes', () => {
    expect(setCondition([before], { ...result, status: 'False' }, at('now'))[0]?.lastTransitionTime).toBe(
      'now',
    );
  });

  test('sorts by type, so that the same conditions give an equal list', () => {
    const once = setCondition([before], { ...result, type: 'Stalled' }, at('now'));
    const twice = setCondition(
      setCondition([], { ...result, type: 'Stalled' }, at('now')),
      result,
      at('then'),
    );
    expect(once.map(({ type }) => type)).toEqual(['Ready', 'Stalled']);
    expect(twice.map(({ type }) => type)).toEqual(['Ready', 'Stalled']);
    expect(setCondition(once, { ...result, type: 'Stalled' }, at('later'))).toEqual(once);
  });

  test('leaves the list that it was given alone', () => {
    const list = Object.freeze([Object.freeze(before)]);
    expect(() => setCondition(list, { ...result, status: 'False' }, at('now'))).not.toThrow();
  });
});

test('a condition is found by its type', () => {
  expect(findCondition([before], 'Ready')).toBe(before);
  expect(findCondition([before], 'Stalled')).toBeUndefined();
  expect(findCondition(undefined, 'Ready')).toBeUndefined();
});

test('a condition is removed by its type', () => {
  expect(removeCondition([before], 'Ready')).toEqual([]);
  expect(removeCondition([before], 'Stalled')).toEqual([before]);
  expect(removeCondition(undefined, 'Ready')).toEqual([]);
});
