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
