import type { IssuedToken } from '../../api/issued-token.ts';
import type { OAuthClient } from '../../api/oauth-client.ts';
import { unlessAborted } from '../../async/abort.ts';
import { createSemaphore } from '../../async/semaphore.ts';
import { claimOf } from '../../domain/client/client-id-claim.ts';
import { buildIssuedToken } from '../../domain/record/issued-token.ts';
import type { RecordFields } from '../../domain/record/token-batch.ts';
import { uuidV5 } from '../../domain/token/declared-token.ts';
import { isAlreadyExists, type ResourceClient } from '../../ports/kube.ts';
import { calledOff, SEMAPHORE_ERRORS } from '../failure.ts';
import type { PlaceRecord } from './group-commit.ts';
import { recordFailure } from './record-failure.ts';

/** A token that is to be recorded, and signed beside that. */
export interface Recordable {
  readonly client: OAuthClient;
  readonly content: RecordFields;
  /** The `jti` of the client's own assertion, which may be used for one token only. */
  readonly assertionID: string | undefined;
  readonly signal: AbortSignal;
}

/** What has been recorded under an id. */
interface Recorded {
  readonly id: string;
  readonly accessToken: string;
}

/**
 * Records a token and has it signed by `sign` meanwhile; it resolves once the API server has acknowledged the record (invariant 1).
 * `AssertionUsed` where the assertion was used before. @throws IssuerFailure
 */
export type RecordToken = (
  token: Recordable,
  sign: (id: string) => Promise<string>,
) => Promise<Recorded | 'AssertionUsed'>;

export interface RecordTokenOptions {
  readonly records: Pick<ResourceClient<IssuedToken>, 'create'>;
  /** Is told of each record as the API server answered it, before the JWT leaves. */
  readonly onRecorded: (record: IssuedToken) => void;
  readonly placeRecord: PlaceRecord;
  /** A version 4 UUID from the system's randomness. */
  readonly newID: () => string;
  /** Runs it after what was put off before it, the write of a TokenBatch among that. */
  readonly defer: (work: () => void) => void;
}

/** Creates under way keep an API server of many cores busy; what waits beyond them is a few seconds of its work. */
const CREATES = { atOnce: 256, waiting: 4096 };

/**
 * Makes {@link RecordToken}: an IssuedToken, or a place in a TokenBatch for clients with `recording: Batched`. What an assertion
 * of the client's own was used for is an IssuedToken always: its name keeps the assertion from being used again (spec §4).
 */
export const createRecordToken = (options: RecordTokenOptions): RecordToken => {
  const { records, onRecorded, placeRecord, newID, defer } = options;
  const semaphore = createSemaphore({ ...CREATES, errors: SEMAPHORE_ERRORS });

  /** @throws ApiError, IssuerFailure */
  const issue = async (token: Recordable, sign: (id: string) => Promise<string>, id: string) => {
    const { client, content, signal } = token;
    const record = buildIssuedToken({ ...content, id, client, clientID: claimOf(client) });
    const [created, accessToken] = await Promise.all([
      semaphore.run(() => records.create(record, { signal }), signal),
      sign(id),
    ]);
    onRecorded(created);
    return { id, accessToken };
  };

  const once: RecordToken = async (token, sign) => {
    // RFC 7523 §3 item 7: every replica derives the same name, so that the API server refuses the second record.
    const id = uuidV5(token.client.metadata.uid, token.assertionID ?? '');
    try {
      return await issue(token, sign, id);
    } catch (error) {
      if (isAlreadyExists(error)) return 'AssertionUsed';
      throw recordFailure(error);
    }
  };

  /** Nothing is tried again that may have been done: after a timeout there may be a record, and no JWT of it is out. */
  const alone: RecordToken = async (token, sign) => {
    try {
      return await issue(token, sign, newID());
    } catch (error) {
      if (!isAlreadyExists(error)) throw recordFailure(error);
    }
    try {
      return await issue(token, sign, newID());
    } catch (error) {
      throw recordFailure(error);
    }
  };

  /** The write goes out first where it is due at once: the signature is made while it is on its way. */
  const signSoon = async (sign: (id: string) => Promise<string>, id: string): Promise<string> => {
    await new Promise<void>(defer);
    return sign(id);
  };

  const together: RecordToken = async ({ client, content, signal }, sign) => {
    const { id, recorded } = placeRecord(client, content);
    const [accessToken] = await unlessAborted(Promise.all([signSoon(sign, id), recorded]), signal, calledOff);
    return { id, accessToken };
  };

  return (token, sign) => {
    if (token.assertionID !== undefined) return once(token, sign);
    return token.client.spec.recording === 'Batched' ? together(token, sign) : alone(token, sign);
  };
};
