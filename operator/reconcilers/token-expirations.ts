import type { Token } from '../api/token.ts';
import { floorSeconds, formatTime, secondsOf } from '../domain/timestamps.ts';
import type { Cache } from '../ports/cache.ts';
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

/**
 * Answers from the Token cache, as it is when a kid is asked for the first time; blacklisted and expired ones need no key. For one
 * pass. A key may have every Token there is, and the event loop waits meanwhile: so texts are compared and only one is parsed.
 */
export const lastExpirations = (tokens: Cache<Token>, now: number): LastExpirationOf => {
  const answers = new Map<string, number | 'never' | undefined>();
  const find = (kid: string): number | 'never' | undefined => {
    const start = formatTime(floorSeconds(now));
    let last = start;
    for (const token of tokens.byIndex(TOKEN_INDEX.anyKid, kid)) {
      if (token.status?.blacklisted?.flag === true) continue;
      const expiration = lastOf(token, kid);
      if (expiration === 'never') return 'never';
      if (expiration > last) last = expiration;
    }
    return last === start ? undefined : secondsOf(last);
  };
  return (kid) => {
    if (!answers.has(kid)) answers.set(kid, find(kid));
    return answers.get(kid);
  };
};
