/** Handlers of one kind of event, called at once and in the order of subscription. One that throws does not keep the event from the others. */
export class Emitter<T> {
  readonly #handlers = new Set<(event: T) => void>();
  readonly #onError: (error: unknown, event: T) => void;

  /** `onError` gets what a handler throws. */
  constructor(onError: (error: unknown, event: T) => void) {
    this.#onError = onError;
  }

  /** Subscribes; the returned function unsubscribes. The same handler may subscribe several times. */
  on(handler: (event: T) => void): () => void {
    const own = (event: T): void => handler(event);
    this.#handlers.add(own);
    return () => this.#handlers.delete(own);
  }

  emit(event: T): void {
    for (const handler of this.#handlers) {
      try {
        handler(event);
      } catch (error) {
        this.#onError(error, event);
      }
    }
  }
}
