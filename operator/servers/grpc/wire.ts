import { BinaryReader, BinaryWriter } from '@bufbuild/protobuf/wire';
import type { ServiceDefinition } from '@grpc/grpc-js';
import { IssuerFailure } from '../../issuer/failure.ts';

/** Decodes and encodes a message; every generated message type is one. */
export interface Codec<T> {
  decode(reader: BinaryReader): T;
  encode(message: T, writer?: BinaryWriter): BinaryWriter;
}

/** A protobuf string may begin with a byte order mark, which is part of the text. */
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Decodes one message. Strings must be UTF-8 (the generated code would replace invalid bytes by U+FFFD). grpc-js answers a
 * message that its deserializer rejects with INTERNAL, so it is given the bytes ({@link inBytes}) and decoding happens here.
 * @throws IssuerFailure `Malformed`
 */
export const readMessage = <T>(codec: Codec<T>, bytes: Uint8Array): T =>
  orMalformed(() => codec.decode(new BinaryReader(bytes, (text) => utf8.decode(text))));

/** Runs a decoder. @throws IssuerFailure `Malformed` for every error of it */
export const orMalformed = <T>(read: () => T): T => {
  try {
    return read();
  } catch (cause) {
    throw new IssuerFailure('Malformed', 'the request is no message of this method', { cause });
  }
};

/** Reused for every message: a new writer allocates and clears several times the size of a message. */
let writer = new BinaryWriter();

/** Encodes one message. */
export const writeMessage = <T>(codec: Codec<T>, message: T): Buffer => {
  try {
    const { buffer, byteOffset, byteLength } = codec.encode(message, writer).finish();
    return Buffer.from(buffer, byteOffset, byteLength);
  } catch (error) {
    // It may hold part of a message.
    writer = new BinaryWriter();
    throw error;
  }
};

/** The service with byte messages in both directions, instead of decoded ones. */
export const inBytes = (definition: ServiceDefinition): ServiceDefinition =>
  Object.fromEntries(
    Object.entries(definition).map(([name, method]) => [
      name,
      {
        ...method,
        requestDeserialize: (bytes: Buffer) => bytes,
        responseSerialize: (bytes: Buffer) => bytes,
      },
    ]),
  );

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
/** The largest block. */
const BLOCK_BYTES = 16 * 1024;
/** 4 MiB. */
const MAX_FREE_BLOCKS = 256;
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
 * Blocks for pieces of messages, which are used again: V8 collects all garbage whenever a few dozen MiB of buffers have been made, and
 * a flood of half-sent messages would have it do that several times a second.
 */
export class Blocks {
  readonly #free: Buffer[] = [];

  take(bytes: number): Buffer {
    const free = bytes === BLOCK_BYTES ? this.#free.pop() : undefined;
    return free ?? Buffer.allocUnsafeSlow(bytes);
  }

  /** Whoever gives them back has no more use for their content. */
  giveBack(blocks: readonly Buffer[]): void {
    for (const block of blocks) {
      if (block.length === BLOCK_BYTES && this.#free.length < MAX_FREE_BLOCKS) this.#free.push(block);
    }
  }
}

/**
 * Takes the place of the decoder of grpc-js, which keeps every piece of a message with the whole block that was read from the
 * network: 1 byte may keep 64 KiB. This one copies, into blocks that grow with what has arrived, up to the length of the message.
 * It takes no compressed messages: grpc-js would inflate all that a block has at the same time, each to the longest message.
 */
export class MessageDecoder {
  readonly #options: MessageDecoderOptions;
  readonly #pool: Blocks;
  /** All but the last are full. */
  #blocks: Buffer[] = [];
  #kept = 0;
  #length = 0;

  constructor(options: MessageDecoderOptions, blocks: Blocks) {
    this.#options = options;
    this.#pool = blocks;
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
    if (this.#kept === 0) return;
    this.#options.onKept(-this.#kept);
    this.#pool.giveBack(this.#blocks);
    this.#blocks = [];
    this.#kept = 0;
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
    const size = this.#keptSize();
    const most = size ?? PREFIX_BYTES;
    const taken = bytes.subarray(0, most - this.#length);
    this.#add(taken, most);
    const complete = size ?? this.#keptSize();
    if (complete === this.#length) {
      const message = this.#joined(complete);
      this.release();
      messages.push(this.#complete(message));
    }
    return bytes.subarray(taken.length);
  }

  /** The size of the message that is kept, whose prefix is the first block. */
  #keptSize(): number | undefined {
    const [prefix] = this.#blocks;
    return prefix && this.#sizeOf(prefix.subarray(0, this.#length));
  }

  #joined(size: number): Buffer {
    const message = Buffer.allocUnsafeSlow(size);
    let at = 0;
    for (const block of this.#blocks) at += block.copy(message, at);
    return message;
  }

  #add(bytes: Buffer, most: number): void {
    for (let rest = bytes; rest.length > 0; ) {
      const free = this.#kept - this.#length;
      if (free === 0) this.#addBlock(rest.length, most);
      const block = this.#blocks.at(-1);
      if (block === undefined) return;
      const added = rest.copy(block, block.length - (this.#kept - this.#length));
      this.#length += added;
      rest = rest.subarray(added);
    }
  }

  /** Adds a block for bytes that have arrived: as large as what is kept, or as they are. */
  #addBlock(arrived: number, most: number): void {
    const wanted = Math.max(arrived, this.#kept, SMALLEST_BYTES - this.#kept);
    const size = Math.min(most - this.#kept, wanted > BLOCK_BYTES / 2 ? BLOCK_BYTES : wanted);
    this.#options.onKept(size);
    this.#kept += size;
    // Not from Buffer's own pool, of which each piece keeps 64 KiB.
    this.#blocks.push(this.#pool.take(size));
  }
}
