import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  type CachedIssuedToken,
  ISSUED_INDEXERS,
} from '../../../../operator/domain/record/cached-issued-token.ts';
import {
  BATCH_INDEXERS,
  type CachedTokenBatch,
} from '../../../../operator/domain/record/cached-token-batch.ts';
import { type AdmitToken, createClientLimits } from '../../../../operator/issuer/limits/client-limits.ts';
import { Rejections } from '../../../../operator/issuer/limits/rejections.ts';
import { ObjectStore } from '../../../../operator/runtime/object-store.ts';
import { FakeClock, settle } from '../../../support/fake-clock.ts';
import { recordedLog, recordedMetrics } from '../../../support/quiet.ts';
import { LeaseServer, startReplica, type TestReplica } from '../../runtime/replica-leases-env.ts';
import { cacheOf, clientWith } from '../clients.ts';

/** A client that requests tokens without a pause of replicas that come and go, as they are wired to each other. */

const RATE = 40;
const BURST = 60;
const TICK_MS = 100;
const client = clientWith({}, { limits: { tokensPerSecond: RATE, burst: BURST } });

interface Issuing {
  readonly replica: TestReplica;
  readonly admit: AdmitToken;
}

/** Everything that one run needs; `issued` has the tokens of each tick. */
class World {
  readonly clock = new FakeClock();
  readonly server = new LeaseServer();
  readonly running: Issuing[] = [];
  readonly stopped: TestReplica[] = [];
  readonly issued: number[] = [];
  #started = 0;

  async join(): Promise<void> {
    this.#started += 1;
    const replica = startReplica(this.server, this.clock, `r${this.#started}`);
    const { clock } = this;
    const log = recordedLog();
    const issued = new ObjectStore<CachedIssuedToken>({ log, indexers: ISSUED_INDEXERS });
    const batches = new ObjectStore<CachedTokenBatch>({ log, indexers: BATCH_INDEXERS });
    const { admit } = createClientLimits({
      clients: cacheOf(),
      records: { issued, batches },
      defer: setImmediate,
      defaults: { tokensPerSecond: 0, burst: 0, activeTokens: 0 },
      share: () => replica.leases.share(),
      rejections: new Rejections(clock),
      clock,
      metrics: recordedMetrics(),
    });
    this.running.push({ replica, admit });
    await settle();
  }

  async leave(crashes: boolean): Promise<void> {
    const gone = this.running.shift();
    if (gone === undefined) return;
    if (crashes) gone.replica.fault = 'all';
    else await gone.replica.leases.stop();
    this.stopped.push(gone.replica);
  }

  /** Requests tokens until each replica rejects one, ten times a second. */
  async flood(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= TICK_MS) {
      this.issued.push(this.running.reduce((sum, { admit }) => sum + admittedBy(admit), 0));
      await this.clock.advance(TICK_MS);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const replicas = [...this.running.map(({ replica }) => replica), ...this.stopped];
    await Promise.all(replicas.map(({ leases }) => leases.stop()));
  }
}

const admittedBy = (admit: AdmitToken): number => {
  for (let count = 0; ; count += 1) {
    try {
      admit(client)?.end();
    } catch {
      return count;
    }
  }
};

/** The most tokens in any stretch of so many ticks or fewer beyond what `rate` allows in it. */
const mostBeyond = (issued: readonly number[], rate: number): number => {
  // The largest sum of a contiguous part (Kadane's algorithm).
  let most = 0;
  let current = 0;
  for (const count of issued) {
    current = Math.max(0, current + count - (rate * TICK_MS) / 1000);
    most = Math.max(most, current);
  }
  return most;
};

const change = fc.record({
  kind: fc.constantFrom('join' as const, 'join' as const, 'leave' as const, 'crash' as const),
  waitMs: fc.integer({ min: 1, max: 40 }).map((ticks) => ticks * TICK_MS * 5),
});

test('whatever replicas come and go, a client gets its burst and less than 120 % of its rate', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(change, { maxLength: 12 }), async (changes) => {
      await using world = new World();
      await world.join();
      await world.flood(2_000);
      for (const { kind, waitMs } of changes) {
        if (kind === 'join' && world.running.length < 6) await world.join();
        else if (kind !== 'join' && world.running.length > 1) await world.leave(kind === 'crash');
        await world.flood(waitMs);
      }
      // A replica that joins may issue one token at once, and a tenth of its share of the burst.
      const joined = changes.filter(({ kind }) => kind === 'join').length;
      expect(mostBeyond(world.issued, 1.2 * RATE)).toBeLessThanOrEqual(1.1 * BURST + 6 * joined);
      // Crashed replicas count for 10 s; those that joined are counted after two renewals.
      await world.flood(14_000);
      const before = world.issued.length;
      await world.flood(10_000);
      const settled = world.issued.slice(before);
      expect(mostBeyond(settled, RATE)).toBeLessThanOrEqual(world.running.length);
      expect(settled.reduce((sum, count) => sum + count, 0)).toBeGreaterThanOrEqual(0.95 * RATE * 10);
    }),
    { numRuns: 30 },
  );
}, 60_000);
