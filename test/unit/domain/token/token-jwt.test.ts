import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { renewalTimeOf } from '../../../../operator/domain/token/token-jwt.ts';

const spec = { clientRef: { name: 'app' } };

describe('the time of a renewal', () => {
  test.each<[string, Parameters<typeof renewalTimeOf>[0]['spec']]>([
    ['policy Never', { ...spec, renewal: { policy: 'Never' } }],
    ['an absolute expiration', { ...spec, expiration: '2026-01-01T00:00:00Z' }],
    [
      'an absolute expiration, even if Auto',
      { ...spec, expiration: '2026-01-01T00:00:00Z', renewal: { policy: 'Auto' } },
    ],
  ])('is none for %s', (_, never) => {
    expect(renewalTimeOf({ uid: 'u', spec: never, signedAt: 0, expiresAt: 3600 })).toBeUndefined();
  });

  test('is none where the JWT never expires', () => {
    expect(renewalTimeOf({ uid: 'u', spec, signedAt: 0, expiresAt: undefined })).toBeUndefined();
  });

  test('lies where the specification says, whatever the lifetime and the Token', () => {
    fc.assert(
      fc.property(
        fc.uuid(),
        fc.integer({ min: 60, max: 400_000_000 }),
        fc.option(fc.integer({ min: 0, max: 99_999_999 }), { nil: undefined }),
        (uid, lifetime, renewBefore) => {
          const renewal = renewBefore === undefined ? {} : { renewBefore: `${renewBefore}s` };
          const at = renewalTimeOf({
            uid,
            spec: { ...spec, renewal },
            signedAt: 1000,
            expiresAt: 1000 + lifetime,
          });
          const base = Math.max(lifetime - (renewBefore ?? lifetime / 3), lifetime / 2);
          expect(at).toBeGreaterThanOrEqual(1000 + Math.min(30, lifetime));
          expect(at).toBeGreaterThanOrEqual(1000 + base - lifetime / 10);
          expect(at).toBeLessThanOrEqual(1000 + Math.ceil(Math.max(base, 30)));
        },
      ),
    );
  });

  test('is stable for a Token, and spread over Tokens', () => {
    const at = (uid: string) => renewalTimeOf({ uid, spec, signedAt: 0, expiresAt: 36_000 }) ?? 0;
    expect(at('a')).toBe(at('a'));
    const all = Array.from({ length: 100 }, (_, n) => at(`uid-${n}`));
    expect(Math.max(...all) - Math.min(...all)).toBeGreaterThan(3000);
  });

  test('moves forward with a lifetime that has become shorter', () => {
    const at = renewalTimeOf({
      uid: 'a',
      spec: { ...spec, lifetime: '10m' },
      signedAt: 0,
      expiresAt: 36_000,
    });
    expect(at).toBeLessThanOrEqual(400);
  });
});
