import { describe, expect, test } from '@jest/globals';
import { type LabelSelector, selects } from '../../../../operator/domain/client/label-selector.ts';

const labels = { team: 'a', tier: 'gold' };
const expression = (
  operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist',
  key: string,
  values?: string[],
): LabelSelector => ({
  matchExpressions: [{ key, operator, ...(values && { values }) }],
});

describe('a label selector', () => {
  test.each<[string, LabelSelector | undefined, boolean]>([
    ['an absent one selects nothing', undefined, false],
    ['an empty one selects everything', {}, true],
    ['an equal label', { matchLabels: { team: 'a' } }, true],
    ['another value', { matchLabels: { team: 'b' } }, false],
    ['two labels, both equal', { matchLabels: { team: 'a', tier: 'gold' } }, true],
    ['two labels, one missing', { matchLabels: { team: 'a', zone: '1' } }, false],
    ['a name that every object has', { matchLabels: { constructor: 'x' } }, false],
    ['In, one of them', expression('In', 'team', ['a', 'b']), true],
    ['In, none of them', expression('In', 'team', ['b']), false],
    ['In, the label missing', expression('In', 'zone', ['1']), false],
    ['NotIn, one of them', expression('NotIn', 'team', ['a']), false],
    ['NotIn, none of them', expression('NotIn', 'team', ['b']), true],
    ['NotIn, the label missing', expression('NotIn', 'zone', ['1']), true],
    ['Exists, there', expression('Exists', 'team'), true],
    ['Exists, missing', expression('Exists', 'zone'), false],
    ['DoesNotExist, there', expression('DoesNotExist', 'team'), false],
    ['DoesNotExist, missing', expression('DoesNotExist', 'zone'), true],
    [
      'labels and expressions have both to hold',
      { matchLabels: { team: 'a' }, ...expression('Exists', 'zone') },
      false,
    ],
  ])('%s', (_, selector, expected) => {
    expect(selects(selector, labels)).toBe(expected);
  });
});
