import { calledOff } from '../failure.ts';

export interface PiecesOptions {
  /** Items of a piece, which are taken and used before the event loop can run other work. */
  readonly size: number;
  /** Resolves when the next piece may be taken, and other work could run. */
  readonly turn: () => Promise<void>;
  readonly signal: AbortSignal;
}

/**
 * Items in pieces, with a turn of the event loop after each full one: what is done for each of an owner's records blocks no other caller.
 * Items are taken piece by piece, so that what they come from may change between two. @throws IssuerFailure if the caller is gone
 */
export async function* inPieces<T>(
  items: Iterable<T>,
  { size, turn, signal }: PiecesOptions,
): AsyncGenerator<readonly T[]> {
  let piece: T[] = [];
  for (const item of items) {
    piece.push(item);
    if (piece.length < size) continue;
    yield piece;
    piece = [];
    await turn();
    if (signal.aborted) throw calledOff();
  }
  if (piece.length > 0) yield piece;
}
