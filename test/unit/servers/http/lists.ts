import type { TokenRecord } from '../../../../operator/domain/record/token-record.ts';
import type { ListTokens } from '../../../../operator/issuer/use-cases.ts';
import { tokenJson } from '../../../../operator/servers/http/protojson.ts';
import { eventually } from '../../../support/eventually.ts';
import { tokenRecord } from '../grpc/server-env.ts';
import { RawConnection, rawRequest } from './raw-http.ts';
import { BASE, type ServerEnv } from './server-env.ts';

/** Some records at a time, about 25 KB of lines. */
export const CHUNK = Array.from({ length: 100 }, (_, at) => tokenRecord(`token-${at}`));

/** A list, and what became of it. */
export interface SeenList {
  readonly seen: { chunks: number; ended: boolean; aborted: boolean };
  readonly listTokens: ListTokens;
}

const watched = (chunks: (seen: SeenList['seen']) => AsyncIterable<typeof CHUNK>): SeenList => {
  const seen = { chunks: 0, ended: false, aborted: false };
  return {
    seen,
    listTokens: async function* (_bearer, _query, { signal }) {
      signal.addEventListener('abort', () => {
        seen.aborted = true;
      });
      try {
        for await (const chunk of chunks(seen)) {
          seen.chunks += 1;
          yield chunk;
        }
      } finally {
        seen.ended = true;
      }
    },
  };
};

/** A list of so many chunks. */
export const longList = (chunks = Number.POSITIVE_INFINITY, chunk = CHUNK): SeenList =>
  watched(async function* () {
    for (let sent = 0; sent < chunks; sent += 1) yield chunk;
  });

/** A token's line in a list. */
export const lineOf = (record: TokenRecord): string =>
  `${JSON.stringify({ result: tokenJson(record, false) })}\n`;

/** A list that waits before its last token until the test resumes it, or it is aborted. */
export const haltingList = (): SeenList & { readonly goOn: () => void } => {
  const halt = Promise.withResolvers<void>();
  const list = watched(async function* () {
    yield [tokenRecord('one')];
    yield [tokenRecord('two')];
    await halt.promise;
    yield [tokenRecord('three')];
  });
  return {
    ...list,
    goOn: halt.resolve,
    listTokens: (bearer, query, call) => {
      call.signal.addEventListener('abort', () => halt.resolve());
      return list.listTokens(bearer, query, call);
    },
  };
};

/** A list that is not read until its socket is resumed. */
export const startUnreadList = (env: ServerEnv): RawConnection => {
  const connection = new RawConnection(env.port);
  connection.socket.pause();
  return connection.write(rawRequest(`GET ${BASE}/api/v1/tokens`, { Authorization: 'Bearer b' }));
};

/** A count, once it rises no more. */
export const settled = async (count: () => number): Promise<number> => {
  let before = 0;
  await eventually(
    () => {
      const isStill = count() === before && before > 0;
      before = count();
      return isStill;
    },
    { intervalMs: 100 },
  );
  return before;
};
