/** Why the messages of a client are rejected. */
export type MessageProblem = 'tooLarge' | 'tooMany' | 'compressed';

/** What a {@link MessageDecoder} reports. */
export interface MessageDecoderOptions {
  /** The longest message. */
  readonly maxBytes: number;
  /** Messages that may be complete with one block. */
  readonly maxAtOnce: number;
  /** Bytes more (or, negative, fewer) are kept for a message that has not arrived in full. @throws Error where they can't be */
  readonly onKept: (bytes: number) => void;
  /** A message of so many bytes is complete. @throws Error where it can't be kept */
  readonly onComplete: (bytes: number) => void;
  /** What {@link MessageDecoder.write} throws next says the same. */
  readonly onProblem: (problem: MessageProblem) => void;
}

/** Compressed flag and length (gRPC over HTTP/2, Length-Prefixed-Message). */
const PREFIX_BYTES = 5;
const SMALLEST_BYTES = 256;
/** What a message may keep of the block in which it arrived, beside as much as itself. */
const MAX_EXCESS_BYTES = 4096;

/** The message without what else was in its block, where that is much. */
const ownedOf = (message: Buffer): Buffer => {
  const { length } = message;
  if (message.buffer.byteLength <= 2 * length + MAX_EXCESS_BYTES) return message;
  const own = Buffer.allocUnsafeSlow(length);
  message.copy(own);
  return own;
};

/**
 * Takes the place of the decoder of grpc-js, which keeps every piece of a message with the whole block that was read from the
 * network: 1 byte may keep 64 KiB. This one copies, into a buffer that grows with what has arrived, up to the length of the message.
 * It takes no compressed messages: grpc-js would inflate all that a block has at the same time, each to the longest message.
 */
export class MessageDecoder {
  readonly #options: MessageDecoderOptions;
  #kept = Buffer.alloc(0);
  #length = 0;

  constructor(options: MessageDecoderOptions) {
    this.#options = options;
  }

  /** Takes a block, and returns the messages that are complete with it, each with its prefix. @throws Error for a message that is too large or compressed, and for too many at once */
  write(block: Buffer): Buffer[] {
    const messages: Buffer[] = [];
    let rest = block;
    while (rest.length > 0) {
      if (messages.length >= this.#options.maxAtOnce)
        this.#fail('tooMany', 'Received too many messages at once');
      // Most messages arrive whole.
      const size = this.#length === 0 ? this.#sizeOf(rest) : undefined;
      if (size !== undefined && rest.length >= size) {
        messages.push(this.#complete(ownedOf(rest.subarray(0, size))));
        rest = rest.subarray(size);
      } else rest = this.#keep(rest, messages);
    }
    return messages;
  }

  /** Gives back what is kept; nothing more can be decoded. */
  release(): void {
    if (this.#kept.length === 0) return;
    this.#options.onKept(-this.#kept.length);
    this.#kept = Buffer.alloc(0);
    this.#length = 0;
  }

  /** The size of a message with its prefix; undefined where the prefix is not complete. */
  #sizeOf(bytes: Buffer): number | undefined {
    if (bytes.length < PREFIX_BYTES) return undefined;
    if (bytes[0] !== 0) this.#fail('compressed', 'Received a compressed message, which is not supported');
    const length = bytes.readUInt32BE(1);
    const { maxBytes } = this.#options;
    if (length > maxBytes)
      this.#fail('tooLarge', `Received message larger than max (${length} vs ${maxBytes})`);
    return PREFIX_BYTES + length;
  }

  #fail(problem: MessageProblem, message: string): never {
    this.#options.onProblem(problem);
    throw new Error(message);
  }

  #complete(message: Buffer): Buffer {
    this.#options.onComplete(message.length);
    return message;
  }

  /** Adds what belongs to the message that is kept, and returns the rest. */
  #keep(bytes: Buffer, messages: Buffer[]): Buffer {
    const size = this.#sizeOf(this.#kept.subarray(0, this.#length));
    const wanted = (size ?? PREFIX_BYTES) - this.#length;
    const taken = bytes.subarray(0, wanted);
    this.#reserve(this.#length + taken.length, size ?? PREFIX_BYTES);
    taken.copy(this.#kept, this.#length);
    this.#length += taken.length;
    const complete = size ?? this.#sizeOf(this.#kept.subarray(0, this.#length));
    if (complete === this.#length) {
      const message = this.#kept.subarray(0, complete);
      this.release();
      messages.push(this.#complete(message));
    }
    return bytes.subarray(taken.length);
  }

  #reserve(length: number, most: number): void {
    if (length <= this.#kept.length) return;
    const size = Math.max(length, Math.min(most, Math.max(2 * this.#kept.length, SMALLEST_BYTES)));
    this.#options.onKept(size - this.#kept.length);
    // Not from Buffer's pool, of which each piece keeps 64 KiB.
    const grown = Buffer.allocUnsafeSlow(size);
    this.#kept.copy(grown, 0, 0, this.#length);
    this.#kept = grown;
  }
}
