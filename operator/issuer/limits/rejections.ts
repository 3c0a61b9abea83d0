import type { LimitReason } from '../../api/conditions.ts';
import { keyOf } from '../../api/meta.ts';
import type { OAuthClient } from '../../api/oauth-client.ts';
import { floorSeconds } from '../../api/time.ts';
import { BoundedMap } from '../../async/bounded-map.ts';
import { formatReport, type LimitRejections, MAX_REPORTED } from '../../domain/client/limit-reports.ts';
import type { Clock } from '../../ports/clock.ts';

/** After so long without a rejection of a client, the next one starts another count. */
const QUIET_MS = 5 * 60_000;

/** What this replica has rejected because of limits, of the clients with the latest rejections. */
export class Rejections {
  readonly #clock: Clock;
  readonly #latest = new BoundedMap<string, LimitRejections & { readonly at: number }>(MAX_REPORTED);

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  note({ metadata }: OAuthClient, why: LimitReason): void {
    const at = this.#clock.now();
    const { uid } = metadata;
    const client = keyOf(metadata);
    const known = this.#latest.get(uid);
    const before =
      known !== undefined && at - known.at < QUIET_MS
        ? known
        : { client, uid, since: floorSeconds(at), rateExceeded: 0, activeTokensExceeded: 0 };
    this.#latest.set(uid, {
      ...before,
      rateExceeded: before.rateExceeded + (why === 'RateExceeded' ? 1 : 0),
      activeTokensExceeded: before.activeTokensExceeded + (why === 'ActiveTokensExceeded' ? 1 : 0),
      at,
    });
  }

  /** For the leader (domain/client/limit-reports.ts); '' if nothing was rejected in the last minutes. */
  report(): string {
    const now = this.#clock.now();
    const current: LimitRejections[] = [];
    for (const uid of [...this.#latest.keys()]) {
      const known = this.#latest.get(uid);
      if (known === undefined) continue;
      if (now - known.at < QUIET_MS) current.push(known);
      else this.#latest.delete(uid);
    }
    return formatReport(current);
  }
}
