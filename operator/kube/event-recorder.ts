import { MANAGER } from '../api/meta.ts';
import { BoundedMap } from '../async/bounded-map.ts';
import { FairQueue } from '../async/fair-queue.ts';
import { sleep } from '../async/sleep.ts';
import { type Rate, TokenBucket } from '../async/token-bucket.ts';
import type { Clock } from '../ports/clock.ts';
import type { EventNote, EventRecorder } from '../ports/events.ts';
import { ApiError, isNotFound } from '../ports/kube.ts';
import type { Log } from '../ports/log.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { KubeClient } from './client.ts';
import { buildEvent, buildSeriesPatch, type EventSeries, seriesKeyOf } from './events.ts';
import { collectionPath, EVENTS, objectPath } from './resource-client.ts';

export interface ApiEventRecorderOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  /** [0, 1); for the names of Events. */
  readonly random: () => number;
  readonly log: Log;
  readonly metrics: Pick<Metrics, 'eventDropped'>;
  /** Which replica reports: the pod's name. */
  readonly instance: string;
}

const RATE: Rate = { burst: 100, refillMs: 100 };
const MAX_WAITING = 1_000;
const WAITING = { total: MAX_WAITING, perGroup: MAX_WAITING };
/** Series that are remembered; the one that was silent for longest goes first. */
const MAX_SERIES = 4_096;
/** A series that was silent for so long is over, and the next note begins a new Event (client-go's finishTime). */
const SERIES_ENDS_MS = 6 * 60_000;
const MAX_TRIES = 3;
const RETRY_MS = 1_000;
const CALL_TIMEOUT_MS = 10_000;

/**
 * Writes Events (events.k8s.io/v1), one at a time, 10 a second after a burst of 100. Repeats of a note become the
 * count of its Event's series. Namespaces take turns; beyond 1,000 waiting ones the newest note of the namespace with the most is
 * dropped and counted. Never throws.
 */
export class ApiEventRecorder implements EventRecorder {
  readonly #options: ApiEventRecorderOptions;
  readonly #series = new BoundedMap<string, EventSeries>(MAX_SERIES);
  readonly #queue = new FairQueue<EventSeries>(WAITING);
  /** What is in the queue. */
  readonly #waiting = new Set<EventSeries>();
  readonly #bucket = new TokenBucket(RATE);
  readonly #abort = new AbortController();
  /** Aborts at the stop: nothing waits for the rate or a retry any more. */
  readonly #flush = new AbortController();
  #writing: Promise<void> | undefined;

  constructor(options: ApiEventRecorderOptions) {
    this.#options = options;
  }

  record(note: EventNote): void {
    if (this.#flush.signal.aborted) {
      this.#options.metrics.eventDropped();
      return;
    }
    const series = this.#seriesOf(note);
    series.count++;
    series.lastAt = this.#options.clock.now();
    this.#enqueue(series);
    this.#startWriting();
  }

  #enqueue(series: EventSeries): void {
    if (this.#waiting.has(series)) return;
    this.#waiting.add(series);
    const { dropped } = this.#queue.push({ group: namespaceOf(series), member: '' }, series);
    if (dropped === undefined) return;
    this.#waiting.delete(dropped.item);
    this.#options.metrics.eventDropped();
  }

  /** Takes no more notes, and writes what waits without its usual pace, for at most `deadlineMs`. Never throws. */
  async stop(deadlineMs = 2_000): Promise<void> {
    this.#flush.abort();
    const cancel = this.#options.clock.after(deadlineMs, () => this.#abort.abort());
    while (this.#writing) await this.#writing;
    cancel();
    this.#abort.abort();
    for (let left = this.#waiting.size; left > 0; left--) this.#options.metrics.eventDropped();
    while (this.#queue.shift() !== undefined);
    this.#waiting.clear();
  }

  #seriesOf(note: EventNote): EventSeries {
    const key = seriesKeyOf(note);
    const now = this.#options.clock.now();
    const known = this.#series.get(key);
    const isWaiting = known !== undefined && this.#waiting.has(known);
    if (known && (isWaiting || now - known.lastAt < SERIES_ENDS_MS)) {
      this.#series.set(key, known);
      return known;
    }
    const series: EventSeries = { note, firstAt: now, lastAt: now, count: 0, name: undefined };
    this.#series.set(key, series);
    return series;
  }

  #startWriting(): void {
    this.#writing ??= this.#writeAll().finally(() => {
      this.#writing = undefined;
      // A note that came after the last look.
      if (this.#waiting.size > 0 && !this.#abort.signal.aborted) this.#startWriting();
    });
  }

  async #writeAll(): Promise<void> {
    while (this.#waiting.size > 0) {
      await this.#waitForRate();
      if (this.#abort.signal.aborted) return;
      const series = this.#queue.shift()?.item;
      if (series === undefined) return;
      this.#waiting.delete(series);
      await this.#write(series);
    }
  }

  async #waitForRate(): Promise<void> {
    const { clock } = this.#options;
    for (let ms = this.#bucket.take(clock.now()); ms > 0; ms = this.#bucket.take(clock.now())) {
      if (!(await this.#pause(ms))) return;
    }
  }

  /** False where the recorder is stopped before. */
  #pause(ms: number): Promise<boolean> {
    return sleep(this.#options.clock, ms, this.#flush.signal, this.#abort.signal);
  }

  async #write(series: EventSeries): Promise<void> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.#writeOnce(series);
      } catch (error) {
        if (this.#abort.signal.aborted) return;
        if (tries >= MAX_TRIES || this.#flush.signal.aborted || !mayPass(error)) {
          this.#options.metrics.eventDropped();
          this.#options.log.debug('Event dropped: it could not be written', {
            reason: series.note.reason,
            error,
          });
          return;
        }
        await this.#pause(RETRY_MS * tries);
      }
    }
  }

  async #writeOnce(series: EventSeries): Promise<void> {
    const { client, random, instance } = this.#options;
    const shared = { signal: this.#abort.signal, timeoutMs: CALL_TIMEOUT_MS };
    const namespace = namespaceOf(series);
    if (series.name !== undefined) {
      try {
        await client.request({
          ...shared,
          verb: 'patch',
          path: objectPath(EVENTS, { namespace, name: series.name }),
          query: { fieldManager: MANAGER },
          contentType: 'application/merge-patch+json',
          body: buildSeriesPatch(series),
        });
        return;
      } catch (error) {
        // The API server keeps Events for an hour.
        if (!isNotFound(error)) throw error;
      }
    }
    const event = buildEvent(series, { namespace, instance, random });
    await client.request({
      ...shared,
      verb: 'create',
      path: collectionPath(EVENTS, namespace),
      query: { fieldManager: MANAGER },
      body: event,
    });
    series.name = event.metadata.name;
  }
}

/** Of the Event. */
const namespaceOf = ({ note }: EventSeries): string => note.regarding.metadata.namespace || 'default';

/** No answer, too many requests, or a failure of the API server's own. */
const mayPass = (error: unknown): boolean =>
  error instanceof ApiError && (error.status === 0 || error.status === 429 || error.status >= 500);
