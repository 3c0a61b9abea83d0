import { hash, timingSafeEqual } from 'node:crypto';
import type { ObjectRef } from '../../api/meta.ts';
import type { OAuthClient } from '../../api/oauth-client.ts';
import { unlessAborted, withDeadline } from '../../async/abort.ts';
import { BoundedMap } from '../../async/bounded-map.ts';
import { type Awaitable, mapAwaitable } from '../../async/map-awaitable.ts';
import { SingleFlight } from '../../async/single-flight.ts';
import { sleep } from '../../async/sleep.ts';
import { readClientSecrets, withoutFinalNewline } from '../../domain/client/client-secret.ts';
import type { Cache } from '../../ports/cache.ts';
import type { MonotonicClock } from '../../ports/clock.ts';
import type { Secret } from '../../ports/secrets.ts';
import { calledOff, IssuerFailure } from '../failure.ts';
import type { Call } from '../use-cases.ts';

/** Verifies client secrets. In memory a secret is its SHA-256 only (spec §4). */
export interface ClientSecrets {
  /**
   * Whether one of the client secrets is correct: those that a request may mean, at least one. What has to be read for that is read by
   * `turn`, which may let it wait.
   * @throws IssuerFailure `Unavailable` if the Secret can't be read and no cached digest matches
   */
  verify(
    client: OAuthClient,
    clientSecrets: readonly string[],
    call: Pick<Call, 'signal'>,
    turn?: Turn,
  ): Awaitable<boolean>;
  /**
   * The same work for a client that does not exist or has no secret, so that neither time nor answer tells it from one that has: a read of
   * its Secret is a wait for as long as the last read of any took, which fails if that failed. Never true.
   * @throws IssuerFailure `Unavailable`
   */
  verifyAgainstDummy(clientSecrets: readonly string[], instead: Instead): Awaitable<false>;
  /** Drops all digests, and stops following the clients. */
  stop(): void;
}

/** Runs work at once, or when it has its turn. */
type Turn = (work: () => Promise<boolean>) => Promise<boolean>;

/** An attempt as a client that has no secret to compare with. */
interface Instead {
  readonly clientID: string;
  readonly call: Pick<Call, 'signal'>;
  readonly turn?: Turn;
}

const atOnce: Turn = (work) => work();

export interface ClientSecretsOptions {
  readonly clients: Pick<Cache<OAuthClient>, 'onChange'>;
  /** Reads the Secret from the API server; undefined if it does not exist. */
  readonly readSecret: (ref: ObjectRef, signal: AbortSignal) => Promise<Secret | undefined>;
  readonly clock: MonotonicClock;
}

interface Digests {
  readonly current: Buffer | undefined;
  readonly previous: Buffer | undefined;
}

/** The digests of one client's secrets. */
interface Entry {
  /** Secret and key from which they were read. */
  readonly place: string;
  digests: Digests | undefined;
  /** When the last read that succeeded began; monotonic milliseconds. */
  readAt: number;
  /** The same for the last read with a wrong secret, whether it succeeded or not. Reads for correct ones would tell that there is one. */
  failedAt: number;
}

/** A removed secret is rejected by every replica after this time. */
const FRESH_MS = 10_000;
/** The shortest time between two reads of a Secret that a wrong secret causes. */
const RETRY_MS = 1000;
const DEADLINE_MS = 5000;
const MAX_CLIENTS = 4096;

/** Stands for a missing digest in comparisons; no known text has it. */
const NOTHING = Buffer.alloc(32);

const digestOf = (text: string): Buffer => hash('sha256', text, 'buffer');

/** The digests of what was sent, also without the newline of a file, so that a Secret and a request from the same file agree. */
const sentDigests = (clientSecrets: readonly string[]): Buffer[] =>
  [...new Set(clientSecrets.flatMap((secret) => [secret, withoutFinalNewline(secret)]))].map(digestOf);

/** Compares each with both digests in constant time, so that the duration says nothing about either. */
const matches = (sent: readonly Buffer[], { current, previous }: Digests): boolean => {
  let matching = 0;
  for (const digest of sent) {
    const isCurrent = timingSafeEqual(digest, current ?? NOTHING) && current !== undefined;
    const isPrevious = timingSafeEqual(digest, previous ?? NOTHING) && previous !== undefined;
    matching += Number(isCurrent) + Number(isPrevious);
  }
  return matching > 0;
};

const NO_DIGESTS: Digests = { current: undefined, previous: undefined };

const digestsOf = (secret: Secret | undefined, key: string): Digests => {
  const { current, previous } = readClientSecrets(secret?.data, key);
  return {
    current: current === undefined ? undefined : digestOf(current),
    previous: previous === undefined ? undefined : digestOf(previous),
  };
};

const newEntry = (place: string): Entry => ({
  place,
  digests: undefined,
  readAt: -Infinity,
  failedAt: -Infinity,
});

const unavailable = (detail: string, cause?: unknown): IssuerFailure =>
  new IssuerFailure('Unavailable', 'the client can not be authenticated now, try again later', {
    detail,
    cause,
  });

/** What a verification needs, whether there is a Secret to read or not. */
interface Verification {
  readonly entry: Entry;
  readonly sent: readonly Buffer[];
  readonly read: () => Promise<Digests>;
  readonly signal: AbortSignal;
  readonly turn: Turn;
}

/** Makes {@link ClientSecrets}. Secrets are read on demand; concurrent callers share a read. */
export const createClientSecrets = ({ clients, readSecret, clock }: ClientSecretsOptions): ClientSecrets => {
  const entries = new BoundedMap<string, Entry>(MAX_CLIENTS);
  /** By the digest of a client ID that has no secret; made-up ones drop no others. */
  const imitated = new BoundedMap<string, Entry>(MAX_CLIENTS);
  const readings = new SingleFlight<Entry, Digests>();
  let lastRead = { ms: 0, hasFailed: false };
  const unsubscribe = clients.onChange((change) => {
    const object = change.type === 'set' ? change.object : change.old;
    entries.delete(object.metadata.uid);
    if (change.type === 'set' && change.old) entries.delete(change.old.metadata.uid);
  });

  const entryOf = ({ metadata }: OAuthClient, place: string): Entry => {
    const known = entries.get(metadata.uid);
    if (known?.place === place) return known;
    const entry = newEntry(place);
    entries.set(metadata.uid, entry);
    return entry;
  };

  const imitatedEntryOf = (clientID: string): Entry => {
    const key = digestOf(clientID).toString('base64');
    const known = imitated.get(key);
    if (known) return known;
    const entry = newEntry('');
    imitated.set(key, entry);
    return entry;
  };

  const read = async (entry: Entry, ref: ObjectRef, key: string): Promise<Digests> => {
    const startedAt = clock.monotonic();
    try {
      const secret = await withDeadline({ clock, ms: DEADLINE_MS }, (signal) => readSecret(ref, signal));
      entry.digests = digestsOf(secret, key);
      entry.readAt = startedAt;
      lastRead = { ms: clock.monotonic() - startedAt, hasFailed: false };
      return entry.digests;
    } catch (cause) {
      lastRead = { ms: clock.monotonic() - startedAt, hasFailed: true };
      throw unavailable('the Secret of the client can not be read', cause);
    }
  };

  const imitateRead = async (entry: Entry): Promise<Digests> => {
    const startedAt = clock.monotonic();
    const { ms, hasFailed } = lastRead;
    if (ms > 0) await sleep(clock, ms);
    if (hasFailed) throw unavailable('the last read of a Secret failed');
    entry.digests = NO_DIGESTS;
    entry.readAt = startedAt;
    return NO_DIGESTS;
  };

  const verifyWith = ({ entry, sent, read, signal, turn }: Verification): Awaitable<boolean> => {
    const isFresh = (now: number): boolean => now - entry.readAt <= FRESH_MS;
    const knownNow = (): boolean | undefined => {
      const now = clock.monotonic();
      if (entry.digests === undefined || !isFresh(now)) return undefined;
      if (matches(sent, entry.digests)) return true;
      return !readings.has(entry) && now - entry.failedAt < RETRY_MS ? false : undefined;
    };
    const readNow = (): Promise<boolean> => {
      const startedAt = clock.monotonic();
      // It is read though the digests are fresh, since none matches.
      if (isFresh(startedAt)) entry.failedAt = startedAt;
      const reading = readings.run(entry, read).then((digests) => {
        const isCorrect = matches(sent, digests);
        if (!isCorrect) entry.failedAt = startedAt;
        return isCorrect;
      });
      return unlessAborted(reading, signal, calledOff);
    };
    // While it waited for its turn another request may have read the Secret.
    return knownNow() ?? turn(async () => knownNow() ?? readNow());
  };

  return {
    verify: (client, clientSecrets, { signal }, turn = atOnce) => {
      const sent = sentDigests(clientSecrets);
      const { secretRef } = client.spec.authentication?.clientSecret ?? {};
      if (secretRef === undefined) return matches(sent, NO_DIGESTS);
      const { name, key } = secretRef;
      const ref = { namespace: client.metadata.namespace, name };
      const entry = entryOf(client, `${ref.namespace}/${name}/${key}`);
      return verifyWith({ entry, sent, read: () => read(entry, ref, key), signal, turn });
    },
    verifyAgainstDummy: (clientSecrets, { clientID, call, turn = atOnce }) => {
      const sent = sentDigests(clientSecrets);
      const entry = imitatedEntryOf(clientID);
      const read = () => imitateRead(entry);
      const result = verifyWith({ entry, sent, read, signal: call.signal, turn });
      return mapAwaitable(result, () => false as const);
    },
    stop: () => {
      unsubscribe();
      entries.clear();
      imitated.clear();
    },
  };
};
