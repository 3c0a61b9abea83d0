/** What a {@link MessageDecoder} reports. */
export interface MessageDecoderOptions {
  /** The longest message. */
  readonly maxBytes: number;
  /** Bytes more (or, negative, fewer) are kept for a message that has not arrived in full. @throws Error where they can't be */
  readonly onKept: (bytes: number) => void;
  /** A message is too large; what {@link MessageDecoder.write} throws says so. */
  readonly onTooLarge: () => void;
}

/** Compressed flag and length (gRPC over HTTP/2, Length-Prefixed-Message). */
const PREFIX_BYTES = 5;
/** A client that sends a second message to a method with one gets its error; a third changes nothing. */
const MAX_MESSAGES_AT_ONCE = 256;
const SMALLEST_BYTES = 256;

/**
 * Takes the place of the decoder of grpc-js, which keeps every piece of a message with the whole block that was read from the
 * network: 1 byte may keep 64 KiB. This one copies, into a buffer that grows with what has arrived, up to the length of the message.
 */
export class MessageDecoder {
  readonly #options: MessageDecoderOptions;
  #kept = Buffer.alloc(0);
  #length = 0;

  constructor(options: MessageDecoderOptions) {
    this.#options = options;
  }

  /** Takes a block, and returns the messages that are complete with it, each with its prefix. @throws Error for a message that is too large */
  write(block: Buffer): Buffer[] {
    const messages: Buffer[] = [];
    let rest = block;
    while (rest.length > 0 && messages.length < MAX_MESSAGES_AT_ONCE) {
      // Most messages arrive whole.
      const size = this.#length === 0 ? this.#sizeOf(rest) : undefined;
      if (size !== undefined && rest.length >= size) {
        messages.push(rest.subarray(0, size));
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
    const length = bytes.readUInt32BE(1);
    const { maxBytes, onTooLarge } = this.#options;
    if (length <= maxBytes) return PREFIX_BYTES + length;
    onTooLarge();
    throw new Error(`Received message larger than max (${length} vs ${maxBytes})`);
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
      messages.push(this.#kept.subarray(0, complete));
      this.release();
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
