import { connect, type Socket } from 'node:net';

/** A response as it was received. */
export interface RawAnswer {
  readonly status: number;
  /** By lower-case names; of repeated headers the last. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

const END_OF_HEADERS = '\r\n\r\n';

/** Read as latin1, one character a byte, so that lengths count bytes. */
const utf8Of = (bytes: string): string => Buffer.from(bytes, 'latin1').toString('utf8');

const headersOf = (lines: readonly string[]): ReadonlyMap<string, string> =>
  new Map(
    lines.map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }),
  );

/** The chunks at the start of a text, and what is behind the last; undefined where the last has not come. */
const unchunk = (text: string): { body: string; rest: string } | undefined => {
  let [body, at] = ['', 0];
  for (;;) {
    const end = text.indexOf('\r\n', at);
    if (end < 0) return undefined;
    const size = Number.parseInt(text.slice(at, end), 16);
    const next = end + 2 + size + 2;
    if (text.length < next) return undefined;
    body += text.slice(end + 2, end + 2 + size);
    at = next;
    if (size === 0) return { body, rest: text.slice(at) };
  }
};

const takeBody = (
  text: string,
  headers: ReadonlyMap<string, string>,
): { body: string; rest: string } | undefined => {
  if (headers.get('transfer-encoding') === 'chunked') return unchunk(text);
  const length = Number(headers.get('content-length') ?? 0);
  return text.length < length ? undefined : { body: text.slice(0, length), rest: text.slice(length) };
};

/** A connection on which a test writes raw bytes, and reads responses one after the other. */
export class RawConnection implements AsyncDisposable {
  readonly socket: Socket;
  /** Everything that has come and was not taken as an answer. */
  #received = '';
  #isClosed = false;
  readonly connected: Promise<void>;
  readonly closed: Promise<void>;

  constructor(port: number) {
    this.socket = connect({ port, host: '127.0.0.1' });
    this.socket.setEncoding('latin1');
    this.socket.on('data', (text: string) => {
      this.#received += text;
    });
    this.socket.on('error', () => undefined);
    this.connected = new Promise((resolve) => this.socket.once('connect', () => resolve()));
    this.closed = new Promise((resolve) =>
      this.socket.once('close', () => {
        this.#isClosed = true;
        resolve();
      }),
    );
  }

  get received(): string {
    return this.#received;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  write(...texts: readonly string[]): this {
    for (const text of texts) this.socket.write(text, 'latin1');
    return this;
  }

  /** The next response; undefined where the connection ends before it is complete. */
  async answer({ head = false } = {}): Promise<RawAnswer | undefined> {
    for (;;) {
      const answer = this.#take(head);
      if (answer) return answer;
      if (this.#isClosed) return undefined;
      await Promise.race([this.#more(), this.closed]);
    }
  }

  #more(): Promise<void> {
    return new Promise((resolve) => this.socket.once('data', () => resolve()));
  }

  #take(head: boolean): RawAnswer | undefined {
    const end = this.#received.indexOf(END_OF_HEADERS);
    if (end < 0) return undefined;
    const [statusLine = '', ...lines] = this.#received.slice(0, end).split('\r\n');
    const headers = headersOf(lines);
    const behind = this.#received.slice(end + END_OF_HEADERS.length);
    const taken = head ? { body: '', rest: behind } : takeBody(behind, headers);
    if (!taken) return undefined;
    this.#received = taken.rest;
    return { status: Number(statusLine.split(' ')[1]), headers, body: utf8Of(taken.body) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.socket.destroy();
    await this.closed;
  }
}

/** Sends bytes on a new connection; the response, or undefined where there was none. */
export const sendRaw = async (port: number, ...texts: readonly string[]): Promise<RawAnswer | undefined> => {
  await using connection = new RawConnection(port);
  return await connection.write(...texts).answer();
};

/** A request as text. */
export const rawRequest = (
  line: string,
  headers: Readonly<Record<string, string>> | readonly string[] = {},
  body = '',
): string => {
  const lines = Array.isArray(headers)
    ? headers
    : Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  return [`${line} HTTP/1.1`, 'Host: issuer.example', ...lines, '', body].join('\r\n');
};
