import type { Dispatcher } from 'undici';

/** An answer with all of its body, which is text: what every call but a watch wants. */
export interface BufferedResponse {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  /** Length of the body, of which `text` has fewer characters. */
  readonly bytes: number;
}

/** The body has more bytes than the caller reads. */
class ResponseTooLarge extends Error {
  override readonly name = 'ResponseTooLarge';
  readonly code = 'RESPONSE_TOO_LARGE';
}

/** Where an answer goes to. */
interface Settle {
  resolve(answer: BufferedResponse): void;
  reject(error: unknown): void;
}

/** Collects the response to one request. */
class Collector implements Dispatcher.DispatchHandler {
  readonly #settle: Settle;
  readonly #maxBytes: number;
  readonly #chunks: Buffer[] = [];
  #bytes = 0;
  #controller: Dispatcher.DispatchController | undefined;
  #calledOff: { readonly reason: Error } | undefined;
  #statusCode = 0;
  #headers: BufferedResponse['headers'] = {};

  constructor(settle: Settle, maxBytes: number) {
    this.#settle = settle;
    this.#maxBytes = maxBytes;
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
    this.#bytes += chunk.length;
    if (this.#bytes <= this.#maxBytes) this.#chunks.push(chunk);
    else if (this.#calledOff === undefined) {
      this.#chunks.length = 0;
      this.callOff(new ResponseTooLarge(`the answer has more than ${this.#maxBytes} bytes`));
    }
  }

  onResponseEnd(): void {
    const [first] = this.#chunks;
    const body = first !== undefined && this.#chunks.length === 1 ? first : Buffer.concat(this.#chunks);
    this.#settle.resolve({
      statusCode: this.#statusCode,
      headers: this.#headers,
      text: body.toString('utf8'),
      bytes: this.#bytes,
    });
  }

  onResponseError(_: Dispatcher.DispatchController, error: Error): void {
    this.#settle.reject(error);
  }
}

/** How an answer is read. */
interface ReadOptions {
  readonly signal?: AbortSignal | undefined;
  /** Most bytes of the body; beyond it the request is aborted. Absent: unlimited. */
  readonly maxBytes?: number | undefined;
}

/**
 * Sends a request, and resolves when its whole answer is in. undici's own `request` makes a stream of each body, which costs as
 * much again as the rest of a small call. Rejects with undici's errors, the signal's reason, or code `RESPONSE_TOO_LARGE`.
 */
export const requestWhole = (
  dispatcher: Dispatcher,
  options: Dispatcher.DispatchOptions,
  { signal, maxBytes = Number.POSITIVE_INFINITY }: ReadOptions,
): Promise<BufferedResponse> =>
  new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const onAbort = (): void => collector.callOff(signal?.reason);
    const end = (): void => signal?.removeEventListener('abort', onAbort);
    const settle = {
      resolve: (answer: BufferedResponse) => {
        end();
        resolve(answer);
      },
      reject: (error: unknown) => {
        end();
        reject(error);
      },
    };
    const collector = new Collector(settle, maxBytes);
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      dispatcher.dispatch(options, collector);
    } catch (error) {
      end();
      reject(error);
    }
  });
