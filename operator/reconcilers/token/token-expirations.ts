import type { Token } from '../../api/token.ts';
import { floorSeconds, formatTime, secondsOf } from '../../domain/timestamps.ts';
import type { Cache } from '../../ports/cache.ts';
import type { RecordExpirations } from '../record/record-expirations.ts';
import { TOKEN_INDEX } from './token-indexes.ts';

/** When the last good token of a key expires, in seconds since the Unix epoch. */
export type LastExpirationOf = (kid: string) => number | 'never' | undefined;

/** Length of `2026-01-01T00:00:00Z`, as this operator writes times: such texts compare as their times do. */
const WRITTEN_LENGTH = 20;

/** A time as this operator would write it; a status that others restored may have another form, or none. */
const asWritten = (time: string): string => {
  if (time.length === WRITTEN_LENGTH) return time;
  const seconds = secondsOf(time);
  return Number.isNaN(seconds) ? '' : formatTime(seconds);
};

/** The last of a Token's JWTs of that key, as text; `never`, or '' where it has none. */
const lastOf = ({ status }: Token, kid: string): string => {
  let last = '';
  if (status?.keyID === kid) {
    if (status.expiration === undefined) return 'never';
    last = asWritten(status.expiration);
  }
  for (const { keyID, expiration } of status?.previous ?? []) {
    if (keyID !== kid) continue;
    const written = asWritten(expiration);
    if (written > last) last = written;
  }
  return last;
};

/** What knows of good tokens. */
export interface TokenExpirations {
  /** Indexed by {@link TOKEN_INDEXERS}. */
  readonly tokens: Pick<Cache<Token>, 'byIndex'>;
  readonly recordObjects: Pick<RecordExpirations, 'lastOf'>;
}

/** When the last declared one expires; `start` where none expires later. */
const lastDeclared = (tokens: TokenExpirations['tokens'], kid: string, start: number): number | 'never' => {
  const written = formatTime(start);
  let last = written;
  for (const token of tokens.byIndex(TOKEN_INDEX.anyKid, kid)) {
    if (token.status?.blacklisted?.flag === true) continue;
    const expiration = lastOf(token, kid);
    if (expiration === 'never') return 'never';
    if (expiration > last) last = expiration;
  }
  return last === written ? start : secondsOf(last);
};

/**
 * Answers from what is known when a kid is asked for the first time; blacklisted and expired tokens need no key. For one pass. A
 * key may have every declared Token there is, and the event loop waits meanwhile: so texts are compared and only one is parsed.
 */
export const lastExpirations = (
  { tokens, recordObjects }: TokenExpirations,
  now: number,
): LastExpirationOf => {
  const answers = new Map<string, number | 'never' | undefined>();
  const start = floorSeconds(now);
  const find = (kid: string): number | 'never' | undefined => {
    const declared = lastDeclared(tokens, kid, start);
    if (declared === 'never') return 'never';
    const last = recordObjects.lastOf(kid, declared);
    return last === start ? undefined : last;
  };
  return (kid) => {
    if (!answers.has(kid)) answers.set(kid, find(kid));
    return answers.get(kid);
  };
};
