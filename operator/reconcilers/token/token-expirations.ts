import { floorSeconds, formatTime, secondsOf } from '../../api/time.ts';
import type { Token } from '../../api/token.ts';
import type { Cache } from '../../ports/cache.ts';
import type { RecordExpirations } from '../record/record-expirations.ts';
import { TOKEN_INDEX } from './token-triggers.ts';

/** When the last valid JWT of a key expires, in seconds since the Unix epoch; undefined if the key has none. */
export type LastExpirationOf = (kid: string) => number | 'never' | undefined;

/** The length of `2026-01-01T00:00:00Z`, the form in which the operator writes times: these texts sort like their times. */
const CANONICAL_LENGTH = 20;

/** A time in the form in which the operator writes it, or '' if it is not a time; a restored status may have another form. */
const canonicalTime = (time: string): string => {
  if (time.length === CANONICAL_LENGTH) return time;
  const seconds = secondsOf(time);
  return Number.isNaN(seconds) ? '' : formatTime(seconds);
};

/** When the last of a Token's JWTs with that kid expires, as canonical text; `never` if it does not, '' if there is none. */
const lastOf = ({ status }: Token, kid: string): string => {
  let last = '';
  if (status?.keyID === kid) {
    if (status.expiration === undefined) return 'never';
    last = canonicalTime(status.expiration);
  }
  for (const { keyID, expiration } of status?.previous ?? []) {
    if (keyID !== kid) continue;
    const written = canonicalTime(expiration);
    if (written > last) last = written;
  }
  return last;
};

/** The caches of declared and issued tokens. */
export interface TokenExpirations {
  /** Indexed by {@link TOKEN_INDEXERS}. */
  readonly tokens: Pick<Cache<Token>, 'byIndex'>;
  readonly recordObjects: Pick<RecordExpirations, 'lastOf'>;
}

/** When the last declared token with that kid expires, in seconds since the Unix epoch; `start` if none expires later. */
const lastDeclared = (tokens: TokenExpirations['tokens'], kid: string, start: number): number | 'never' => {
  const startText = formatTime(start);
  let last = startText;
  for (const token of tokens.byIndex(TOKEN_INDEX.anyKid, kid)) {
    if (token.status?.blacklisted?.flag === true) continue;
    const expiration = lastOf(token, kid);
    if (expiration === 'never') return 'never';
    if (expiration > last) last = expiration;
  }
  return last === startText ? start : secondsOf(last);
};

/**
 * A function that finds the last expiration for a kid and keeps the result, for one reconcile of a SigningKey. Blacklisted and expired
 * tokens do not count. One key may have all declared tokens, so texts are compared and only the last one is parsed.
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
