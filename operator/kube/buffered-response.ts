import type { Dispatcher } from 'undici';

/** An answer with all of its body, which is text: what every call but a watch wants. */
export interface BufferedResponse {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

/** Where an answer goes to. */
interface Settle {
  resolve(answer: BufferedResponse): void;
  reject(error: unknown): void;
}

/** Collects the response to one request. */
class Collector implements Dispatcher.DispatchHandler {
  readonly #settle: Settle;
  readonly #chunks: Buffer[] = [];
  #controller: Dispatcher.DispatchController | undefined;
  #calledOff: { readonly reason: Error } | undefined;
  #statusCode = 0;
  #headers: BufferedResponse['headers'] = {};

  constructor(settle: Settle) {
    this.#settle = settle;
  }

  /** Rejects at once, whatever the request waits for: its connection, the answer, or more of it. */
  callOff(reason: Error): void {
    this.#calledOff = { reason };
    this.#settle.reject(reason);
    this.#controller?.abort(reason);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#calledOff) controller.abort(this.#calledOff.reason);
  }

  onResponseStart(
    _: Dispatcher.DispatchController,
    statusCode: number,
    headers: BufferedResponse['headers'],
  ): void {
    this.#statusCode = statusCode;
    this.#headers = headers;
  }

  onResponseData(_: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#chunks.push(chunk);
  }

  onResponseEnd(): void {
    const [first] = this.#chunks;
    const body = first !== undefined && this.#chunks.length === 1 ? first : Buffer.concat(this.#chunks);
    this.#settle.resolve({
      statusCode: this.#statusCode,
      headers: this.#headers,
      text: body.toString('utf8'),
    });
  }

  onResponseError(_: Dispatcher.DispatchController, error: Error): void {
    this.#settle.reject(error);
  }
}

/**
 * Sends a request, and resolves when its whole answer is in. undici's own `request` makes a stream of each body, which costs as
 * much again as the rest of a small call. Rejects with undici's errors, or the signal's reason.
 */
export const requestWhole = (
  dispatcher: Dispatcher,
  options: Dispatcher.DispatchOptions,
  signal: AbortSignal | undefined,
): Promise<BufferedResponse> =>
  new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const onAbort = (): void => collector.callOff(signal?.reason);
    const end = (): void => signal?.removeEventListener('abort', onAbort);
    const collector = new Collector({
      resolve: (answer) => {
        end();
        resolve(answer);
      },
      reject: (error) => {
        end();
        reject(error);
      },
    });
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      dispatcher.dispatch(options, collector);
    } catch (error) {
      end();
      reject(error);
    }
  });
