import type { ObjectRef } from '../api/meta.ts';

/** The calls on one resource type, with what caches hold of an object in its place; every failure is an ApiError. */
export interface DecodedClient<T> {
  /** As it is now; undefined where there is none. */
  read(ref: ObjectRef, signal: AbortSignal): Promise<T | undefined>;
  /** Writes the whole status, conditional on the uid and resourceVersion of `object`. */
  writeStatus(object: T, status: object, signal: AbortSignal): Promise<T>;
  /** Deletes it, on the same condition. */
  delete(object: T, signal: AbortSignal): Promise<void>;
}
