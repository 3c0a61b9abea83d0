import { type CelRule, celHas } from './cel-rule.ts';

/** For the root of a schema: a flag that, once true, can neither be false again nor be removed. */
export const irrevocable = (path: string, advice: string): CelRule => {
  const parent = path.slice(0, path.lastIndexOf('.'));
  const isTrue = (root: string): string => `(has(${root}.${path}) && ${root}.${path})`;
  return {
    rule: `!(has(oldSelf.${parent}) && ${isTrue('oldSelf')}) || (has(self.${parent}) && ${isTrue('self')})`,
    message: `${path} can't be taken back: ${advice}`,
    fieldPath: `.${path}`,
    reason: 'FieldValueForbidden',
  };
};

/** For the root of a schema: a number that can neither fall nor be removed. */
export const neverFalling = (path: string, why: string): CelRule => ({
  rule: `!(${celHas(`oldSelf.${path}`)}) || (${celHas(`self.${path}`)} && self.${path} >= oldSelf.${path})`,
  message: `${path} never falls and can't be removed: ${why}`,
  fieldPath: `.${path}`,
  reason: 'FieldValueForbidden',
});

const BLACKLISTED_BEFORE = `${celHas('oldSelf.status.blacklisted')} && oldSelf.status.blacklisted.flag`;
const BLACKLISTED_STILL = `${celHas('self.status.blacklisted')} && self.status.blacklisted.flag && self.status.blacklisted.timestamp == oldSelf.status.blacklisted.timestamp`;

/** For the root of a schema: blacklisted stays blacklisted, for every writer and verb (spec §8). */
export const blacklistedForEver = (advice: string): CelRule => ({
  rule: `!(${BLACKLISTED_BEFORE}) || (${BLACKLISTED_STILL})`,
  message: `status.blacklisted can't be taken back or changed once its flag is true: ${advice}`,
  fieldPath: '.status.blacklisted',
  reason: 'FieldValueForbidden',
});
