import { describe, expect, test } from '@jest/globals';
import { tokenId, uuidV5 } from '../../../../operator/domain/token/declared-token.ts';

describe('a name-based UUID', () => {
  test('is that of RFC 9562 appendix A.4', () => {
    expect(uuidV5('6ba7b810-9dad-11d1-80b4-00c04fd430c8', 'www.example.com')).toBe(
      '2ed6657d-e927-568b-95e1-2665a8aea6a2',
    );
  });

  test('does not mind the case of its namespace', () => {
    expect(uuidV5('6BA7B810-9DAD-11D1-80B4-00C04FD430C8', 'www.example.com')).toBe(
      '2ed6657d-e927-568b-95e1-2665a8aea6a2',
    );
  });

  test('needs a namespace that is a UUID', () => {
    expect(() => uuidV5('no UUID', 'x')).toThrow(RangeError);
  });

  test('names the JWT of an issuance', () => {
    const uid = '6ba7b810-9dad-11d1-80b4-00c04fd430c8';
    expect(tokenId(uid, 12)).toBe(uuidV5(uid, '12'));
  });
});
