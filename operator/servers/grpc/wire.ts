import { BinaryReader, BinaryWriter } from '@bufbuild/protobuf/wire';
import type { ServiceDefinition } from '@grpc/grpc-js';
import { IssuerFailure } from '../../issuer/failure.ts';

/** What reads and writes a message; each generated message is one. */
export interface Codec<T> {
  decode(reader: BinaryReader): T;
  encode(message: T, writer?: BinaryWriter): BinaryWriter;
}

/** A byte order mark is text like any other in a protobuf string. */
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Reads one message, with strings that have to be UTF-8 (the generated code lets others through as U+FFFD).
 * grpc-js would answer a message that can't be read with INTERNAL: it is handed the bytes as they are, and this
 * stands behind it. @throws IssuerFailure `Malformed`
 */
export const readMessage = <T>(codec: Codec<T>, bytes: Uint8Array): T =>
  orMalformed(() => codec.decode(new BinaryReader(bytes, (text) => utf8.decode(text))));

/** Runs a reader of requests. @throws IssuerFailure `Malformed` for whatever it throws */
export const orMalformed = <T>(read: () => T): T => {
  try {
    return read();
  } catch (cause) {
    throw new IssuerFailure('Malformed', 'the request is no message of this method', { cause });
  }
};

/** Kept from message to message: a new one allocates several times what a message has, and clears it. */
let writer = new BinaryWriter();

/** Writes one message. */
export const writeMessage = <T>(codec: Codec<T>, message: T): Buffer => {
  try {
    const { buffer, byteOffset, byteLength } = codec.encode(message, writer).finish();
    return Buffer.from(buffer, byteOffset, byteLength);
  } catch (error) {
    // Half a message may be in it.
    writer = new BinaryWriter();
    throw error;
  }
};

/** The same service whose messages are bytes on both sides. */
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
