import { GROUP } from '../api/meta.ts';
import type { EventNote } from '../ports/events.ts';

/** Notes that say the same of the same object; the API server knows them as one Event with a count. */
export interface EventSeries {
  readonly note: EventNote;
  /** Epoch milliseconds. */
  readonly firstAt: number;
  lastAt: number;
  count: number;
  /** Of the Event, once it is written. */
  name: string | undefined;
}

/** events.k8s.io/v1 validation: note up to 1 kB, reason and action up to 128, reportingInstance up to 128. */
const MAX_NOTE = 1_000;
const MAX_WORD = 128;
/** An Event's name is a DNS subdomain of at most 253 characters; what follows the object's name takes 17. */
const MAX_NAME = 253 - 17;

/** A Kubernetes MicroTime, which Events require: RFC 3339 in UTC with six decimals. `ms`: milliseconds since the Unix epoch. */
const microTime = (ms: number): string => new Date(ms).toISOString().replace('Z', '000Z');

/** Equal for notes that belong to one series. */
export const seriesKeyOf = ({ regarding, type, reason, action, note }: EventNote): string =>
  JSON.stringify([
    regarding.metadata.uid,
    regarding.metadata.namespace,
    regarding.metadata.name,
    type,
    reason,
    action,
    note,
  ]);

/** The Event of a series, as it is created (events.k8s.io/v1). */
export const buildEvent = (
  { note, firstAt, lastAt, count }: EventSeries,
  at: { readonly namespace: string; readonly instance: string; readonly random: () => number },
) => {
  const { regarding, type, reason, action } = note;
  const { name, namespace, uid, resourceVersion } = regarding.metadata;
  return {
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    metadata: { name: `${name.slice(0, MAX_NAME)}.${suffix(at.random)}`, namespace: at.namespace },
    eventTime: microTime(firstAt),
    reportingController: `${GROUP}/operator`,
    reportingInstance: at.instance.slice(0, MAX_WORD),
    action: action.slice(0, MAX_WORD),
    reason: reason.slice(0, MAX_WORD),
    regarding: {
      apiVersion: regarding.apiVersion,
      kind: regarding.kind,
      name,
      namespace,
      uid,
      resourceVersion,
    },
    note: note.note.slice(0, MAX_NOTE),
    type,
    ...(count > 1 && { series: { count, lastObservedTime: microTime(lastAt) } }),
  };
};

/** The merge patch that writes the count of repeats into an Event. */
export const buildSeriesPatch = ({ count, lastAt }: EventSeries) => ({
  series: { count, lastObservedTime: microTime(lastAt) },
});

/** 16 hex digits, as client-go gives its Events. */
const suffix = (random: () => number): string =>
  Array.from({ length: 4 }, () =>
    Math.floor(random() * 0x10000)
      .toString(16)
      .padStart(4, '0'),
  ).join('');
