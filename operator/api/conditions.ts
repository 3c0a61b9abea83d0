/** A Kubernetes condition, after `metav1.Condition`. */
export interface Condition {
  readonly type: string;
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: string;
  readonly message: string;
  readonly lastTransitionTime: string;
  readonly observedGeneration?: number | undefined;
}

/** What a plan says of a condition; {@link setCondition} adds the times. */
export type ConditionVerdict = Pick<Condition, 'type' | 'status' | 'reason' | 'message'>;

/** Reasons of a Token's condition `Ready` (contract §2.1). */
export const TOKEN_REASONS = [
  'Issued',
  'Issuing',
  'ClientNotFound',
  'ClientNotReady',
  'ClientSuspended',
  'NamespaceNotAllowed',
  'InvalidAudience',
  'InvalidScope',
  'InvalidExpiration',
  'SecretConflict',
  'SecretRefused',
  'SigningKeyNotReady',
  'Blacklisted',
  'Expired',
] as const;
export type TokenReason = (typeof TOKEN_REASONS)[number];

/** Reasons of an OAuthClient's condition `Ready` (contract §2.4). */
export const CLIENT_REASONS = ['Registered', 'Suspended', 'ClientIDConflict'] as const;
export type ClientReason = (typeof CLIENT_REASONS)[number];

/** Reasons of an OAuthClient's condition `CredentialsReady` (contract §2.4). */
export const CREDENTIALS_REASONS = ['Verified', 'NoMethod', 'SecretInvalid', 'IssuerUnreachable'] as const;
export type CredentialsReason = (typeof CREDENTIALS_REASONS)[number];

/** Reasons of a SigningKey's condition `Ready` (contract §2.5). */
export const SIGNING_KEY_REASONS = ['Active', 'NoActiveKey', 'PrivateKeyInvalid', 'KeyCompromised'] as const;
export type SigningKeyReason = (typeof SIGNING_KEY_REASONS)[number];

/** The condition of that type, if there is one. */
export const findCondition = (
  conditions: readonly Condition[] | undefined,
  type: string,
): Condition | undefined => conditions?.find((condition) => condition.type === type);

/**
 * Puts a verdict among the conditions: `lastTransitionTime` moves only when `status` does
 * (Kubernetes API conventions, "Typical status properties"). Returns a new list, sorted by type,
 * so that an unchanged verdict gives an equal list.
 */
export const setCondition = (
  conditions: readonly Condition[] | undefined,
  verdict: ConditionVerdict,
  at: { readonly now: string; readonly observedGeneration: number },
): Condition[] => {
  const before = findCondition(conditions, verdict.type);
  const lastTransitionTime = before && before.status === verdict.status ? before.lastTransitionTime : at.now;
  const next: Condition = { ...verdict, lastTransitionTime, observedGeneration: at.observedGeneration };
  const others = (conditions ?? []).filter((condition) => condition.type !== verdict.type);
  return [...others, next].sort((a, b) => (a.type < b.type ? -1 : 1));
};

/** The conditions without the one of that type. */
export const removeCondition = (conditions: readonly Condition[] | undefined, type: string): Condition[] =>
  (conditions ?? []).filter((condition) => condition.type !== type);
