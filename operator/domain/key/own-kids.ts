import type { SigningKey } from '../../api/signing-key.ts';
import { compromisedKids } from './jwks.ts';

/** The kids of all keys that the SigningKeys have or had: in any phase, and those that are compromised. */
export const ownKids = (signingKeys: readonly SigningKey[]): ReadonlySet<string> =>
  new Set([
    ...signingKeys.flatMap(({ status }) => (status?.keys ?? []).map(({ kid }) => kid)),
    ...compromisedKids(signingKeys),
  ]);
