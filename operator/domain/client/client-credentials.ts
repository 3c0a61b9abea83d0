import type { CredentialsReason, WeakCredentialsReason } from '../../api/conditions.ts';
import { type ConditionUpdate, removeCondition, setCondition } from '../../api/meta.ts';
import type { OAuthClient, OAuthClientStatus } from '../../api/oauth-client.ts';
import { floorSeconds, formatTime } from '../../api/time.ts';
import { canonicalJson } from '../canonical-json.ts';
import { trustRemarks } from './trusted-issuer.ts';

/** The result of checking one authentication method of a client. */
export interface CredentialsFinding {
  readonly method: 'clientSecret' | 'privateKeyJWT' | 'trustedIssuer' | 'serviceAccounts';
  /** Absent if it works. */
  readonly problem?: {
    readonly reason: Exclude<CredentialsReason, 'Verified' | 'NoMethod'>;
    readonly message: string;
  };
  /** What an administrator should know although it works, e.g. that a check is off. */
  readonly remark?: string;
  /** Why it is easy to guess although it works. */
  readonly weakness?: { readonly reason: WeakCredentialsReason; readonly message: string };
}

/** Messages of a condition hold at most 32,768 characters (metav1.Condition); this many are still read by people. */
const MAX_MESSAGE = 1024;

const shorten = (message: string): string =>
  message.length <= MAX_MESSAGE ? message : `${message.slice(0, MAX_MESSAGE - 1)}…`;

const condition = (reason: CredentialsReason, parts: readonly string[]): ConditionUpdate => ({
  type: 'CredentialsReady',
  status: reason === 'Verified' ? 'True' : 'False',
  reason,
  message: shorten(parts.join('; ')),
});

/**
 * Condition `CredentialsReady`: the assertion methods are alternatives, so one that works suffices, and what does not
 * is named in the message. So are the remarks, whatever works.
 */
export const credentialsCondition = (
  findings: readonly CredentialsFinding[],
  trusted: readonly string[] = [],
): ConditionUpdate => {
  const problems = findings.flatMap(({ problem }) => problem ?? []);
  const working = findings.filter(({ problem }) => problem === undefined);
  const remarks = [...trusted, ...working.flatMap(({ remark }) => remark ?? [])];
  if (findings.length === 0) {
    return condition('NoMethod', [
      'spec.authentication names no method: this client is for declared Tokens only',
    ]);
  }
  const messages = problems.map(({ message }) => message);
  if (working.length > 0) {
    const methods = [...new Set(working.map(({ method }) => method))].join(', ');
    return condition('Verified', [`it can authenticate by ${methods}`, ...remarks, ...messages]);
  }
  const [first = '', ...others] = messages;
  return condition(problems[0]?.reason ?? 'SecretInvalid', [first, ...remarks, ...others]);
};

/** Condition `CredentialsWeak`, which is True or absent. */
const weakCondition = (findings: readonly CredentialsFinding[]): ConditionUpdate | undefined => {
  const [weakness] = findings.flatMap(({ weakness }) => weakness ?? []);
  return weakness && { type: 'CredentialsWeak', status: 'True', ...weakness };
};

/** The status with what the findings say; undefined where it stands so already. Pure. */
export const planCredentials = (
  client: OAuthClient,
  findings: readonly CredentialsFinding[],
  now: number,
): OAuthClientStatus | undefined => {
  const remarks = trustRemarks(client.spec.authentication ?? {});
  const stamp = {
    now: formatTime(floorSeconds(now)),
    observedGeneration: client.metadata.generation ?? 0,
  };
  const ready = setCondition(client.status?.conditions, credentialsCondition(findings, remarks), stamp);
  const weak = weakCondition(findings);
  const status: OAuthClientStatus = {
    ...client.status,
    conditions: weak ? setCondition(ready, weak, stamp) : removeCondition(ready, 'CredentialsWeak'),
  };
  return canonicalJson(status) === canonicalJson(client.status) ? undefined : status;
};
