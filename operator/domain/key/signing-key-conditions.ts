import {
  type Condition,
  type ConditionUpdate,
  type SigningKeyReason,
  setCondition,
} from '../../api/conditions.ts';
import type { KeyEntry } from '../../api/signing-key.ts';
import type { RotationContext } from './key-phases.ts';
import { findUsableProvidedKey } from './standby-keys.ts';

const ready = (status: 'True' | 'False', reason: SigningKeyReason, message: string): ConditionUpdate => ({
  type: 'Ready',
  status,
  reason,
  message,
});

const readyCondition = (entries: readonly KeyEntry[], context: RotationContext): ConditionUpdate => {
  const { provided, compromised } = context;
  const found = findUsableProvidedKey(entries, context);
  if (found && 'problem' in found) {
    const isCompromised = provided && 'key' in provided && compromised.has(provided.key.kid);
    if (isCompromised) return ready('False', 'KeyCompromised', found.problem);
    return ready('False', 'PrivateKeyInvalid', `spec.privateKeyRef: ${found.problem}`);
  }
  const because = context.failure === undefined ? '' : `: ${context.failure}`;
  const active = entries.find(({ phase }) => phase === 'Active');
  const standby = entries.find(({ phase }) => phase === 'Published');
  if (!active || !context.isUsable(active)) {
    const what = active ? `the private half of key ${active.kid} is lost` : 'no key signs yet';
    const next = standby ? `key ${standby.kid} is published, and signs next` : `none stands by${because}`;
    return ready('False', 'NoActiveKey', `${what}; ${next}`);
  }
  const next = standby
    ? `; key ${standby.kid} (${standby.algorithm}) stands by`
    : provided
      ? ''
      : `; none stands by${because}`;
  return ready('True', 'Active', `key ${active.kid} (${active.algorithm}) signs${next}`);
};

/** Condition `Ready` of a SigningKey whose keys are to stand like `entries`. */
export const signingKeyConditions = (entries: readonly KeyEntry[], context: RotationContext): Condition[] =>
  setCondition(context.signingKey.status?.conditions, readyCondition(entries, context), {
    now: context.time,
    observedGeneration: context.signingKey.metadata.generation ?? 0,
  });
