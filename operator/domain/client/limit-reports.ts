/** What was rejected of one client in a time without a quiet interval. */
export interface LimitRejections {
  /** `<namespace>/<name>`. */
  readonly client: string;
  readonly uid: string;
  /** When the first was rejected, in seconds since the Unix epoch. */
  readonly since: number;
  readonly rateExceeded: number;
  readonly activeTokensExceeded: number;
}

/** Clients in one report: it is an annotation, of which an object has 256 KiB. */
export const MAX_REPORTED = 64;
/** Longer than any report of ours. */
const MAX_REPORT = 64 * 1024;

const isCount = (value: unknown): value is number =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;

/** A report as a replica writes it; '' for none. */
export const formatReport = (rejections: readonly LimitRejections[]): string =>
  rejections.length === 0
    ? ''
    : JSON.stringify(
        rejections
          .slice(0, MAX_REPORTED)
          .map(({ client, uid, since, rateExceeded, activeTokensExceeded }) => [
            client,
            uid,
            since,
            rateExceeded,
            activeTokensExceeded,
          ]),
      );

const readEntry = (entry: unknown): LimitRejections[] => {
  if (!Array.isArray(entry)) return [];
  const [client, uid, since, rateExceeded, activeTokensExceeded] = entry as unknown[];
  if (typeof client !== 'string' || typeof uid !== 'string') return [];
  if (!isCount(since) || !isCount(rateExceeded) || !isCount(activeTokensExceeded)) return [];
  return [{ client, uid, since, rateExceeded, activeTokensExceeded }];
};

/** Reads what {@link formatReport} wrote. What is not of that form, as by another version, is ignored. */
const parseReport = (text: string): LimitRejections[] => {
  if (text.length > MAX_REPORT) return [];
  try {
    const entries: unknown = JSON.parse(text);
    return Array.isArray(entries) ? entries.slice(0, MAX_REPORTED).flatMap(readEntry) : [];
  } catch {
    return [];
  }
};

/** What was rejected of each client by all replicas, by `<namespace>/<name>`. */
export const sumReports = (reports: readonly string[]): ReadonlyMap<string, LimitRejections> => {
  const sums = new Map<string, LimitRejections>();
  for (const rejections of reports.flatMap(parseReport)) {
    const { client, uid } = rejections;
    const before = sums.get(client);
    const isSame = before?.uid === uid;
    sums.set(
      client,
      isSame
        ? {
            client,
            uid,
            since: Math.min(before.since, rejections.since),
            rateExceeded: before.rateExceeded + rejections.rateExceeded,
            activeTokensExceeded: before.activeTokensExceeded + rejections.activeTokensExceeded,
          }
        : rejections,
    );
  }
  return sums;
};
