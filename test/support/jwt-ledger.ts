import { claimsIn } from './installation.ts';
import type { Observer } from './observer.ts';

/** Different sets of claims that Secrets of one namespace held under one `jti`: none, if the operator keeps its word. */
const claimsByJti = (secrets: Observer): Map<string, Set<string>> => {
  const ledger = new Map<string, Set<string>>();
  for (const { type, object } of secrets.sights) {
    if (type === 'DELETED' || object.data?.token === undefined) continue;
    const claims = claimsIn(object);
    const jti = String(claims.jti);
    const sorted = JSON.stringify(Object.entries(claims).sort(([a], [b]) => (a < b ? -1 : 1)));
    ledger.set(jti, (ledger.get(jti) ?? new Set()).add(sorted));
  }
  return ledger;
};

/** The `jti`s that were seen with more than one set of claims. */
export const issuedTwice = (secrets: Observer): string[] =>
  [...claimsByJti(secrets)].filter(([, claims]) => claims.size > 1).map(([jti]) => jti);
