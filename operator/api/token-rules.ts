import { type CelRule, immutable } from './cel-rule.ts';
import { celWithDurations } from './duration.ts';

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

const BLACKLISTED_BEFORE =
  'has(oldSelf.status) && has(oldSelf.status.blacklisted) && oldSelf.status.blacklisted.flag';
const BLACKLISTED_STILL =
  'has(self.status) && has(self.status.blacklisted) && self.status.blacklisted.flag && self.status.blacklisted.timestamp == oldSelf.status.blacklisted.timestamp';

/** Transition rules of a Token, for every writer and verb: at the root, where the removal of a parent is met too. */
export const TOKEN_TRANSITIONS: readonly CelRule[] = [
  immutable('spec.clientRef.name', 'make another Token'),
  immutable('spec.clientRef.namespace', 'make another Token'),
  {
    rule: '!(has(oldSelf.spec.revoked) && oldSelf.spec.revoked) || (has(self.spec.revoked) && self.spec.revoked)',
    message: "spec.revoked can't be taken back: make another Token",
    fieldPath: '.spec.revoked',
    reason: 'FieldValueForbidden',
  },
  {
    rule: `!(${BLACKLISTED_BEFORE}) || (${BLACKLISTED_STILL})`,
    message: "status.blacklisted can't be taken back or changed once its flag is true: make another Token",
    fieldPath: '.status.blacklisted',
    reason: 'FieldValueForbidden',
  },
  {
    rule: '!(has(oldSelf.status) && has(oldSelf.status.issuance)) || (has(self.status) && has(self.status.issuance) && self.status.issuance >= oldSelf.status.issuance)',
    message: "status.issuance never falls and can't be removed: it numbers the JWTs",
    fieldPath: '.status.issuance',
    reason: 'FieldValueForbidden',
  },
];
