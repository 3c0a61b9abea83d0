import { BinaryReader } from '@bufbuild/protobuf/wire';
import type { ServiceDefinition } from '@grpc/grpc-js';
import { IssuerFailure } from '../issuer/failure.ts';

/** What reads a message; each generated message is one. */
export interface Decoder<T> {
  decode(reader: BinaryReader): T;
}

/** A byte order mark is text like any other in a protobuf string. */
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Reads one message, with strings that have to be UTF-8 (the generated code lets others through as U+FFFD).
 * grpc-js would answer a message that can't be read with INTERNAL: it is handed the bytes as they are, and this
 * stands behind it. @throws IssuerFailure `Malformed`
 */
export const readMessage = <T>(message: Decoder<T>, bytes: Uint8Array): T =>
  orMalformed(() => message.decode(new BinaryReader(bytes, (text) => utf8.decode(text))));

/** Runs a reader of requests. @throws IssuerFailure `Malformed` for whatever it throws */
export const orMalformed = <T>(read: () => T): T => {
  try {
    return read();
  } catch (cause) {
    throw new IssuerFailure('Malformed', 'the request is no message of this method', { cause });
  }
};

/** The same service with requests left as bytes. */
export const undecoded = (definition: ServiceDefinition): ServiceDefinition =>
  Object.fromEntries(
    Object.entries(definition).map(([name, method]) => [
      name,
      { ...method, requestDeserialize: (bytes: Buffer) => bytes },
    ]),
  );
