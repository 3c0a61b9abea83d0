import { isOverQuota, isTooLarge } from '../../ports/kube.ts';
import { IssuerFailure } from '../failure.ts';

/** Why a record could not be made, as a caller may know it: `Exhausted` where more of the same is of no use, else `Unavailable`. */
export const recordFailure = (error: unknown): IssuerFailure => {
  if (error instanceof IssuerFailure) return error;
  if (isOverQuota(error)) {
    return new IssuerFailure(
      'Exhausted',
      "a quota of the client's namespace leaves no room for another token",
      { cause: error },
    );
  }
  if (isTooLarge(error)) {
    return new IssuerFailure('Exhausted', 'the token is too large to be recorded', { cause: error });
  }
  return new IssuerFailure('Unavailable', 'the token can not be recorded now, try again later', {
    cause: error,
  });
};
