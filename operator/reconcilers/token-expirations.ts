import type { Token } from '../api/token.ts';
import { floorSeconds, secondsOf } from '../domain/timestamps.ts';
import type { Cache } from '../ports/cache.ts';
import { TOKEN_INDEX } from './token-indexes.ts';

/** When the last good token of a key expires, in seconds since the Unix epoch. */
export type LastExpirationOf = (kid: string) => number | 'never' | undefined;

function* expirationsOf({ status }: Token, kid: string): Generator<number | 'never'> {
  if (status?.keyID === kid) yield status.expiration === undefined ? 'never' : secondsOf(status.expiration);
  for (const { keyID, expiration } of status?.previous ?? []) if (keyID === kid) yield secondsOf(expiration);
}

const later = (a: number | 'never' | undefined, b: number | 'never'): number | 'never' =>
  a === 'never' || b === 'never' ? 'never' : Math.max(a ?? 0, b);

/** Answers from the Token cache, as it is when a kid is asked for the first time; blacklisted and expired ones need no key. For one pass. */
export const lastExpirations = (tokens: Cache<Token>, now: number): LastExpirationOf => {
  const answers = new Map<string, number | 'never' | undefined>();
  const find = (kid: string): number | 'never' | undefined => {
    let last: number | 'never' | undefined;
    for (const token of tokens.byIndex(TOKEN_INDEX.anyKid, kid)) {
      if (token.status?.blacklisted?.flag === true) continue;
      for (const expiration of expirationsOf(token, kid)) {
        if (expiration === 'never' || expiration > floorSeconds(now)) last = later(last, expiration);
      }
    }
    return last;
  };
  return (kid) => {
    if (!answers.has(kid)) answers.set(kid, find(kid));
    return answers.get(kid);
  };
};
