import type { ListTokens } from '../../../../operator/issuer/use-cases.ts';
import { Token } from '../../../../operator/servers/grpc/generated/m2moauthserver/pb/service.ts';
import { tokenMessage } from '../../../../operator/servers/grpc/token-message.ts';
import { writeMessage } from '../../../../operator/servers/grpc/wire.ts';
import { eventually } from '../../../support/eventually.ts';
import type { LoggedLine } from '../../../support/quiet.ts';
import { frame, pathOf, type RawCall, rawCall } from './raw-call.ts';
import { type ServerEnv, tokenRecord } from './server-env.ts';

/** Some records at a time, and their bytes on the wire. */
export const CHUNK = Array.from({ length: 100 }, (_, at) => tokenRecord(`token-${at}`));
export const CHUNK_BYTES = CHUNK.reduce(
  (sum, record) => sum + frame(writeMessage(Token, tokenMessage(record))).byteLength,
  0,
);

/** A list without end, and what became of it. */
export const endlessList = () => {
  const seen = { chunks: 0, ended: false, aborted: false };
  const listTokens: ListTokens = async function* (_bearer, _query, { signal }) {
    signal.addEventListener('abort', () => {
      seen.aborted = true;
    });
    try {
      for (;;) {
        seen.chunks += 1;
        yield CHUNK;
      }
    } finally {
      seen.ended = true;
    }
  };
  return { seen, listTokens };
};

/** A list that is not read before the test resumes it. */
export const startUnreadList = (env: ServerEnv, options = {}): RawCall => {
  const call = rawCall(env.port, pathOf('GetTokens'), options);
  call.stream.end(frame(new Uint8Array()));
  return call;
};

/** How often the use case was asked, once it is asked no more. */
export const settledChunks = async (seen: { chunks: number }): Promise<number> => {
  let before = 0;
  await eventually(
    () => {
      const isStill = seen.chunks === before && before > 0;
      before = seen.chunks;
      return isStill;
    },
    { intervalMs: 100 },
  );
  return before;
};

/** The line that the log got of the first call that has ended. */
export const lineOf = (env: ServerEnv): LoggedLine | undefined =>
  env.log.lines.find(({ message }) => message === 'gRPC call');
