import { type IssuerSettings, issuedAtFor } from '../../domain/jwt/claims.ts';
import type { Clock } from '../../ports/clock.ts';
import { IssuerFailure } from '../failure.ts';

/**
 * Checks, when a token has its turn to be recorded, that its `issuedAt` (seconds since the Unix epoch) is not so long ago that its record
 * could count as created again (spec §2.2). @throws IssuerFailure `Unavailable`
 */
export type CheckAge = (issuedAt: number) => void;

/** Most callers have given up by then. */
const MAX_WAIT_SECONDS = 60;

/** Makes {@link CheckAge}. */
export const createAgeCheck =
  ({
    clock,
    settings,
  }: {
    readonly clock: Clock;
    readonly settings: Pick<IssuerSettings, 'backdateMs'>;
  }): CheckAge =>
  (issuedAt) => {
    if (issuedAtFor(clock.now(), settings) - issuedAt <= MAX_WAIT_SECONDS) return;
    throw new IssuerFailure('Unavailable', 'the token can not be recorded now, try again later', {
      detail: 'it waited too long for its turn',
    });
  };
