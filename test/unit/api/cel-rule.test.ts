import { describe, expect, test } from '@jest/globals';
import { celHas, celName, celText, immutable } from '../../../operator/api/cel-rule.ts';

describe('CEL', () => {
  test('checks every step of the path to a field', () => {
    expect(celHas('self.a.b')).toBe('has(self.a) && has(self.a.b)');
  });

  test('spells a reserved word and a name that is no identifier', () => {
    expect(celName('namespace')).toBe('__namespace__');
    expect(celName('m2moauth.dev/token')).toBe('m2moauth__dot__dev__slash__token');
    expect(celName('client_id')).toBe('client_id');
  });

  test('keeps the backslashes of a regular expression, and can hold no quote', () => {
    expect(celText('^\\.$')).toBe("r'^\\.$'");
    expect(() => celText("'")).toThrow(RangeError);
  });

  test('rejects adding, removing and changing what is immutable, and names it as users do', () => {
    const { rule, message, fieldPath } = immutable('spec.namespace', 'make another');
    expect(rule).toContain('self.spec.__namespace__ == oldSelf.spec.__namespace__');
    expect(message).toBe("spec.namespace can't be changed, added or removed: make another");
    expect(fieldPath).toBe('.spec.namespace');
  });
});
