/** What the gRPC service says of tokens (spec §4), as plainly as it can be written: what tests hold the operator to. */

/** One object: an issued token, or a declared one with all of its JWTs. */
export interface ModelToken {
  /** Issued: one; declared: the current and earlier ones. */
  readonly ids: readonly string[];
  readonly owner: string;
  readonly isExpired: boolean;
  isBlacklisted: boolean;
  isGone: boolean;
}

/** Tokens of every owner, and the three calls' semantics over them. */
export class TokenModel {
  readonly tokens: ModelToken[] = [];

  add(token: Pick<ModelToken, 'ids' | 'owner' | 'isExpired'>): void {
    this.tokens.push({ ...token, isBlacklisted: false, isGone: false });
  }

  /** Ids that GetTokens answers with, sorted. */
  get(owner: string, filter: readonly string[], includeBlacklisted: boolean): string[] {
    return this.#of(owner)
      .filter(({ isBlacklisted }) => includeBlacklisted || !isBlacklisted)
      .flatMap(({ ids }) => ids)
      .filter((id) => filter.length === 0 || filter.includes(id))
      .sort();
  }

  /** The counts of DeleteTokens. */
  delete(owner: string, filter: readonly string[]): { blacklistedCount: bigint; deletedCount: bigint } {
    let [blacklisted, deleted] = [0n, 0n];
    for (const token of this.#of(owner)) {
      if (filter.length > 0 && !token.ids.some((id) => filter.includes(id))) continue;
      if (token.isExpired) {
        token.isGone = true;
        deleted += 1n;
      } else if (!token.isBlacklisted) {
        token.isBlacklisted = true;
        blacklisted += 1n;
      }
    }
    return { blacklistedCount: blacklisted, deletedCount: deleted };
  }

  #of(owner: string): ModelToken[] {
    return this.tokens.filter((token) => token.owner === owner && !token.isGone);
  }
}
