/** What is known now, or has to be waited for. Who gives one throws at once, or rejects. */
export type Awaitable<T> = T | Promise<T>;

/**
 * What `next` makes of a value: at once where that is known, which caches see to for all but the first call. A wait for what is
 * there already costs as much as looking it up (decisions/0015). @throws what `next` throws
 */
export const mapAwaitable = <T, R>(value: Awaitable<T>, next: (value: T) => Awaitable<R>): Awaitable<R> =>
  value instanceof Promise ? value.then(next) : next(value);
