import {
  type Condition,
  type ConditionUpdate,
  type SigningKeyReason,
  setCondition,
} from '../../api/conditions.ts';
import type { KeyEntry } from '../../api/signing-key.ts';
import type { Pass } from './key-phases.ts';
import { findUsableBrought } from './standby-keys.ts';

const ready = (status: 'True' | 'False', reason: SigningKeyReason, message: string): ConditionUpdate => ({
  type: 'Ready',
  status,
  reason,
  message,
});

const readyCondition = (entries: readonly KeyEntry[], pass: Pass): ConditionUpdate => {
  const { brought, compromised } = pass;
  const found = findUsableBrought(entries, pass);
  if (found && 'problem' in found) {
    const isCompromised = brought && 'key' in brought && compromised.has(brought.key.kid);
    if (isCompromised) return ready('False', 'KeyCompromised', found.problem);
    return ready('False', 'PrivateKeyInvalid', `spec.privateKeyRef: ${found.problem}`);
  }
  const because = pass.failure === undefined ? '' : `: ${pass.failure}`;
  const active = entries.find(({ phase }) => phase === 'Active');
  const standby = entries.find(({ phase }) => phase === 'Published');
  if (!active || !pass.isUsable(active)) {
    const what = active ? `the private half of key ${active.kid} is lost` : 'no key signs yet';
    const next = standby ? `key ${standby.kid} is published, and signs next` : `none stands by${because}`;
    return ready('False', 'NoActiveKey', `${what}; ${next}`);
  }
  const next = standby
    ? `; key ${standby.kid} (${standby.algorithm}) stands by`
    : brought
      ? ''
      : `; none stands by${because}`;
  return ready('True', 'Active', `key ${active.kid} (${active.algorithm}) signs${next}`);
};

/** Condition `Ready` of a SigningKey whose keys are to stand like `entries`. */
export const signingKeyConditions = (entries: readonly KeyEntry[], pass: Pass): Condition[] =>
  setCondition(pass.signingKey.status?.conditions, readyCondition(entries, pass), {
    now: pass.time,
    observedGeneration: pass.signingKey.metadata.generation ?? 0,
  });
