import type { IssuedToken } from '../../api/issued-token.ts';
import type { OAuthClient } from '../../api/oauth-client.ts';
import { unlessAborted } from '../../async/abort.ts';
import type { FairSemaphore } from '../../async/fair-semaphore.ts';
import { clientKey } from '../../domain/caller-address.ts';
import { requestedClientID } from '../../domain/client/client-rules.ts';
import { type IssuerSettings, issuedAtFor } from '../../domain/jwt/claims.ts';
import { buildIssuedToken } from '../../domain/record/issued-token.ts';
import type { RecordFields } from '../../domain/record/token-batch.ts';
import { uuidV5 } from '../../domain/token/declared-token.ts';
import type { Cacheable } from '../../ports/cache.ts';
import type { Clock } from '../../ports/clock.ts';
import { isAlreadyExists, type ResourceClient } from '../../ports/kube.ts';
import { calledOff, IssuerFailure, recordFailure } from '../failure.ts';
import type { Call, OneTimeAssertion } from '../use-cases.ts';
import type { AssertionProblem, UsedAssertions } from './used-assertions.ts';

/** A token to be recorded. */
export interface Recordable {
  readonly client: OAuthClient;
  readonly fields: RecordFields;
  /** The client's own assertion, which may be used for one token only. */
  readonly assertion: OneTimeAssertion | undefined;
  readonly call: Pick<Call, 'address' | 'signal'>;
  /** Called once the record is in the cache, which may be long before its token is returned. */
  readonly onRecorded?: () => void;
  /** Called with a write that goes on when the caller leaves: the record may appear until it settles. */
  readonly onWrite?: (written: Promise<unknown>) => void;
}

/** Signs the JWT of a record under the id that the record gets. */
type Sign = (id: string) => Promise<string>;

interface RecordedToken {
  readonly id: string;
  readonly accessToken: string;
}

/**
 * Records a token and signs its JWT meanwhile; resolves once the API server has acknowledged the record (invariant 1), or with what
 * keeps an assertion from being used. @throws IssuerFailure
 */
export type RecordToken = (token: Recordable, sign: Sign) => Promise<RecordedToken | AssertionProblem>;

/** A record with its position in a TokenBatch. */
interface BatchedRecord {
  /** The `jti`, which follows from the position. */
  readonly id: string;
  /** Resolves once the API server has acknowledged the TokenBatch. Rejects with an IssuerFailure. */
  readonly recorded: Promise<void>;
}

/** Adds a record to the TokenBatch that is written next. @throws IssuerFailure `Exhausted` if too many records of the client wait */
export type AddToBatch = (client: OAuthClient, fields: RecordFields) => BatchedRecord;

/**
 * Checks, when a token has its turn to be recorded, that its `issuedAt` (seconds since the Unix epoch) is not so long ago that its record
 * could count as created again (spec §2.2). @throws IssuerFailure `Unavailable`
 */
export type CheckAge = (issuedAt: number) => void;

/** Most callers have given up by then. */
const MAX_WAIT_SECONDS = 60;

/** Makes {@link CheckAge}. */
export const createAgeCheck =
  ({
    clock,
    settings,
  }: {
    readonly clock: Clock;
    readonly settings: Pick<IssuerSettings, 'backdateMs'>;
  }): CheckAge =>
  (issuedAt) => {
    if (issuedAtFor(clock.now(), settings) - issuedAt <= MAX_WAIT_SECONDS) return;
    throw new IssuerFailure('Unavailable', 'the token can not be recorded now, try again later', {
      detail: 'it waited too long for its turn',
    });
  };

export interface RecordTokenOptions {
  readonly records: Pick<ResourceClient<IssuedToken>, 'create' | 'delete'>;
  readonly usedAssertions: Pick<UsedAssertions, 'findProblem' | 'confirm'>;
  /** Called with each record as the API server returned it, before the JWT is. */
  readonly onRecorded: (record: IssuedToken) => void;
  readonly addToBatch: AddToBatch;
  readonly checkAge: CheckAge;
  /** Bounds the creates, and lets clients take turns. */
  readonly queue: FairSemaphore;
  /** A random version 4 UUID. */
  readonly newID: () => string;
  /** Runs `work` after pending I/O events, as `setImmediate` does, and after what was deferred before it. */
  readonly defer: (work: () => void) => void;
}

/**
 * Makes {@link RecordToken}: as an IssuedToken, or in a TokenBatch for clients with `recording: Batched`. A token for a client's own
 * assertion is always an IssuedToken, whose name prevents a replay (spec §4).
 */
export const createRecordToken = (options: RecordTokenOptions): RecordToken => {
  const { records, usedAssertions, onRecorded, addToBatch, checkAge, queue, newID, defer } = options;

  /** Signs when its turn has come: a token that is rejected costs no signature. @throws ApiError, IssuerFailure */
  const recordUnder = async (id: string, token: Recordable, sign: Sign) => {
    const { client, fields, call } = token;
    const { signal } = call;
    const record = buildIssuedToken({ ...fields, id, client, clientID: requestedClientID(client) });
    const [created, accessToken] = await queue.run(
      clientKey(client.metadata, call),
      async () => {
        checkAge(fields.issuedAt);
        return Promise.all([records.create(record, { signal }), sign(id)]);
      },
      signal,
    );
    onRecorded(created);
    token.onRecorded?.();
    return { id, accessToken, created };
  };

  /** Removes a record that should not have been created again: it could bring back a JWT that was revoked by its deletion. */
  const removeAgain = async ({ metadata }: Cacheable): Promise<void> => {
    const { uid, resourceVersion } = metadata;
    // If it stays, no JWT of it has left all the same.
    await records.delete(metadata, { uid, resourceVersion }).catch(() => undefined);
  };

  /** Confirms the use of an assertion; unless that succeeds, its record is removed again. @throws IssuerFailure `Unavailable` */
  const confirmUse = async (...[use, created, signal]: Parameters<UsedAssertions['confirm']>) => {
    let isConfirmed = false;
    try {
      const problem = await usedAssertions.confirm(use, created, signal);
      isConfirmed = problem === undefined;
      return problem;
    } finally {
      if (!isConfirmed) await removeAgain(created);
    }
  };

  const recordOncePerAssertion = async (token: Recordable, assertion: OneTimeAssertion, sign: Sign) => {
    const { namespace, uid } = token.client.metadata;
    // RFC 7523 §3 item 7: every replica derives the same name, so that the API server rejects a second record.
    const use = { namespace, name: uuidV5(uid, assertion.id), earliestUse: assertion.earliestUse };
    const known = usedAssertions.findProblem(use);
    if (known !== undefined) return known;
    try {
      const { id, accessToken, created } = await recordUnder(use.name, token, sign);
      return (await confirmUse(use, created, token.call.signal)) ?? { id, accessToken };
    } catch (error) {
      if (isAlreadyExists(error)) return 'AssertionUsed';
      throw recordFailure(error);
    }
  };

  /** Only a collision of ids is tried again: after a timeout the record may exist, but its JWT was never returned. */
  const recordAlone = async (token: Recordable, sign: Sign) => {
    try {
      return await recordUnder(newID(), token, sign);
    } catch (error) {
      if (!isAlreadyExists(error)) throw recordFailure(error);
    }
    try {
      return await recordUnder(newID(), token, sign);
    } catch (error) {
      throw recordFailure(error);
    }
  };

  /** A write that is due now is sent first; the JWT is signed while it is on its way. */
  const signDeferred = async (sign: Sign, id: string): Promise<string> => {
    await new Promise<void>(defer);
    return sign(id);
  };

  const recordInBatch = async ({ client, fields, call, onWrite }: Recordable, sign: Sign) => {
    const { id, recorded } = addToBatch(client, fields);
    onWrite?.(recorded);
    const done = Promise.all([signDeferred(sign, id), recorded]);
    const [accessToken] = await unlessAborted(done, call.signal, calledOff);
    return { id, accessToken };
  };

  return (token, sign) => {
    if (token.assertion !== undefined) return recordOncePerAssertion(token, token.assertion, sign);
    return token.client.spec.recording === 'Batched' ? recordInBatch(token, sign) : recordAlone(token, sign);
  };
};
