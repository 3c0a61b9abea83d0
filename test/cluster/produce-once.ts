import { rename, rm, stat } from 'node:fs/promises';
import { withLock } from './lock.ts';

/** A file that is downloaded once a machine. */
export interface Product {
  readonly name: string;
  readonly target: string;
  readonly signal: AbortSignal | undefined;
}

/**
 * Has `produce` write a file, then renames it to the product's target: it appears there complete or not at all. Of
 * several callers, in this process or in others, one produces; the rest wait for its result.
 */
export function produceOnce(product: Product, produce: (unfinished: string) => Promise<void>): Promise<void> {
  return withLock(`${product.target}.lock`, product, async () => {
    if (await exists(product.target)) return;
    const unfinished = `${product.target}.${process.pid}.part`;
    try {
      await produce(unfinished);
      await rename(unfinished, product.target);
    } finally {
      await rm(unfinished, { force: true });
    }
  });
}

export function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
