import type { LimitReason } from '../../api/conditions.ts';
import { type Condition, findCondition, removeCondition, setCondition } from '../../api/meta.ts';
import type { OAuthClient, OAuthClientStatus } from '../../api/oauth-client.ts';
import { floorSeconds, formatTime } from '../../api/time.ts';
import { canonicalJson } from '../canonical-json.ts';
import type { LimitRejections } from './limit-reports.ts';

/** The condition of a client that reached a limit a short time ago (spec §2.4). */
export const LIMIT_REACHED = 'LimitReached';

/** What the condition is planned from. */
export interface LimitObservation {
  readonly client: OAuthClient;
  /** By all replicas; undefined if nothing was rejected for some minutes. */
  readonly rejections: LimitRejections | undefined;
  /** Milliseconds since the Unix epoch. */
  readonly now: number;
}

const messageOf = ({ since, rateExceeded, activeTokensExceeded }: LimitRejections): string => {
  const causes = [
    ...(rateExceeded > 0 ? [`${rateExceeded} by tokensPerSecond`] : []),
    ...(activeTokensExceeded > 0 ? [`${activeTokensExceeded} by activeTokens`] : []),
  ];
  const count = rateExceeded + activeTokensExceeded;
  return `requests for tokens rejected since ${formatTime(since)}: ${count} (${causes.join(', ')}); raise spec.limits, or request less`;
};

const conditionsOf = ({ client, rejections, now }: LimitObservation): Condition[] => {
  const before = client.status?.conditions;
  if (rejections === undefined || rejections.uid !== client.metadata.uid) {
    return removeCondition(before, LIMIT_REACHED);
  }
  const isRate = rejections.rateExceeded >= rejections.activeTokensExceeded;
  const condition = {
    type: LIMIT_REACHED,
    status: 'True' as const,
    reason: (isRate ? 'RateExceeded' : 'ActiveTokensExceeded') satisfies LimitReason,
    message: messageOf(rejections),
  };
  const at = {
    now: formatTime(floorSeconds(now)),
    observedGeneration: client.metadata.generation ?? 0,
  };
  return setCondition(before, condition, at);
};

/** The status with the right condition `LimitReached`; undefined if it has it, and if the client is not registered. Pure. */
export const planLimitCondition = (observation: LimitObservation): OAuthClientStatus | undefined => {
  const { status } = observation.client;
  if (status === undefined) return undefined;
  const conditions = conditionsOf(observation);
  if (canonicalJson(conditions) === canonicalJson(status.conditions ?? [])) return undefined;
  return { ...status, conditions };
};

/** Whether the client has the condition. */
export const hasReachedLimit = ({ status }: Pick<OAuthClient, 'status'>): boolean =>
  findCondition(status?.conditions, LIMIT_REACHED) !== undefined;
