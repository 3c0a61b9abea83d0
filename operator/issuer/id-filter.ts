import { IssuerFailure } from './failure.ts';

/** Most ids in a filter (spec §4). */
export const MAX_IDS = 1000;

/** A `jti` is a UUID; what else is no longer than this, and plain, is an id that nobody has. */
const ID = /^[\x21-\x7e]{1,64}$/u;

/** Holds a filter to its bounds (spec §4). An empty id is refused: passing it over could turn a filter into "all". @throws IssuerFailure `Malformed` */
export const checkIdFilter = (ids: readonly string[]): readonly string[] => {
  if (ids.length > MAX_IDS) {
    throw new IssuerFailure('Malformed', `id_filter has more than ${MAX_IDS} ids`);
  }
  if (!ids.every((id) => ID.test(id))) {
    throw new IssuerFailure('Malformed', 'id_filter has an id that is not 1 to 64 ASCII characters');
  }
  return ids;
};
