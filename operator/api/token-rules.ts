import { type CelRule, immutable } from './cel-rule.ts';
import { celWithDurations } from './time.ts';
import { blacklistedForEver, irrevocable, neverFalling } from './transitions.ts';

const hasPolicy = (policy: 'Auto' | 'Never'): string =>
  `(has(self.renewal) && has(self.renewal.policy) && self.renewal.policy == '${policy}')`;

/** Rules on what a Token's spec says as a whole. */
export const TOKEN_SPEC_RULES: readonly CelRule[] = [
  {
    rule: '!(has(self.expiration) && has(self.lifetime))',
    message: 'spec.expiration and spec.lifetime exclude each other: set one of them',
    fieldPath: '.lifetime',
  },
  {
    rule: `!(has(self.expiration) && ${hasPolicy('Auto')})`,
    message:
      'spec.renewal.policy Auto needs a spec.lifetime instead of spec.expiration: an absolute expiration is not moved by renewing',
    fieldPath: '.renewal.policy',
  },
  {
    rule: `!has(self.lifetime) || ${hasPolicy('Never')} || ${celWithDurations(['self.lifetime'], "duration(self.lifetime) >= duration('1m')")}`,
    message:
      'spec.lifetime must be at least 1m to be renewed: set a longer one, or spec.renewal.policy: Never',
    fieldPath: '.lifetime',
  },
  {
    rule: `!has(self.ttlSecondsAfterExpired) || has(self.expiration) || ${hasPolicy('Never')}`,
    message:
      'spec.ttlSecondsAfterExpired needs spec.expiration or spec.renewal.policy: Never: a Token that is renewed does not expire',
    fieldPath: '.ttlSecondsAfterExpired',
  },
];

const ANOTHER = 'make another Token';

/** Transition rules of a Token, for every writer and verb: at the root, where they also apply when a parent is removed. */
export const TOKEN_TRANSITIONS: readonly CelRule[] = [
  immutable('spec.clientRef.name', ANOTHER),
  immutable('spec.clientRef.namespace', ANOTHER),
  irrevocable('spec.revoked', ANOTHER),
  blacklistedForEver(ANOTHER),
  neverFalling('status.issuance', 'it numbers the JWTs'),
];
