import { keyOf, type ObjectRef, refOf } from '../../api/meta.ts';
import type { OAuthClient } from '../../api/oauth-client.ts';
import type { FairSemaphore } from '../../async/fair-semaphore.ts';
import { type Awaitable, mapAwaitable } from '../../async/map-awaitable.ts';
import { clientKey, unauthenticatedKey } from '../../domain/caller-address.ts';
import { CLIENT_ID_INDEX, isOfAnotherIssuer, isRegistered } from '../../domain/client/client-rules.ts';
import type { IssuerSettings, SignedClaims } from '../../domain/jwt/claims.ts';
import {
  declaredIn,
  findClientFault,
  findRecordFault,
  findTimeFault,
  type JwtFault,
} from '../../domain/jwt/jwt-checks.ts';
import { batchNameOf, isBatchedId } from '../../domain/record/cached-token-batch.ts';
import { clientOfDelivery } from '../../domain/record/declared-records.ts';
import type { FoundRecord } from '../../domain/record/token-record.ts';
import type { Cache } from '../../ports/cache.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Freshness } from '../../ports/freshness.ts';
import type { Metrics } from '../../ports/metrics.ts';
import type { SecretMeta } from '../../ports/secrets.ts';
import type { Keyring, VerifiedJwt } from '../../ports/signing.ts';
import { IssuerFailure } from '../failure.ts';
import type { Call } from '../use-cases.ts';
import type { Reader, RegistryReads } from './live-reads.ts';
import { isFresh, type Records } from './records.ts';

/** A valid JWT of this issuer, with its record. */
export interface ValidJwt {
  readonly kind: 'valid';
  readonly claims: SignedClaims;
  readonly record: FoundRecord;
}

/** A JWT that is not valid; with claims and record if it is `Blacklisted` and otherwise valid. */
interface InvalidJwt {
  readonly kind: 'invalid';
  readonly fault: JwtFault;
  readonly claims?: SignedClaims;
  readonly record?: FoundRecord;
}

export type JwtValidation = ValidJwt | InvalidJwt;

/**
 * The call that waits for a read of the API server. Its signal, which is made on demand, is not touched if nothing has to be read.
 * `client` is the authenticated one of a call without a bearer.
 */
interface Waiting {
  readonly call: Pick<Call, 'address' | 'signal'>;
  readonly client: OAuthClient | undefined;
}

/**
 * Validates a JWT, for every endpoint (spec §3). What has to be read counts for `client`, the authenticated one, or for that of the JWT.
 * @throws IssuerFailure `Unavailable` if the answer can't be known now, `Exhausted` if too many wait for it
 */
export type ValidateJwt = (
  jwt: string,
  call: Pick<Call, 'address' | 'signal'>,
  client?: OAuthClient,
) => Awaitable<JwtValidation>;

export interface ValidateJwtOptions {
  readonly keyring: Pick<Keyring, 'verify'>;
  /** Bounds the checks of signatures, and lets callers take turns. */
  readonly queue: FairSemaphore;
  readonly records: Records;
  /** Indexed by {@link CLIENT_ID_INDEX}. */
  readonly clients: Pick<Cache<OAuthClient>, 'get' | 'byIndex'>;
  readonly secrets: Pick<Cache<SecretMeta>, 'get'>;
  readonly reads: RegistryReads;
  readonly freshness: Freshness;
  readonly settings: Pick<IssuerSettings, 'url' | 'previousURLs' | 'ownerClaim'>;
  /** False while this replica's clock is too far off the API server's to check times by it (spec §3, Clock). */
  readonly isClockUsable: () => boolean;
  readonly clock: Clock;
  readonly metrics: Pick<Metrics, 'jwtValidated'>;
}

const invalid = (fault: JwtFault): InvalidJwt => ({ kind: 'invalid', fault });

const unavailable = (detail: string): IssuerFailure =>
  new IssuerFailure('Unavailable', 'the token can not be validated now, try again later', { detail });

/** The registered client of a client ID, which has its issued tokens in its namespace. */
const registeredClient = ({ clients }: ValidateJwtOptions, clientID: unknown): OAuthClient | undefined => {
  if (typeof clientID !== 'string') return undefined;
  for (const client of clients.byIndex(CLIENT_ID_INDEX, clientID)) {
    if (isRegistered(client)) return client;
  }
  return undefined;
};

/** For whom is read: the authenticated client, or that of a JWT whose signature is verified. */
const readerOf = ({ call }: Waiting, client: ObjectRef | undefined): Reader => ({
  key: client ? clientKey(client, call) : unauthenticatedKey(call),
  signal: call.signal,
});

/** Reads the record of a JWT from the API server, with one GET (spec §3, Lookups). */
const readRecord = async (
  options: ValidateJwtOptions,
  claims: SignedClaims,
  waiting: Waiting,
): Promise<FoundRecord | undefined> => {
  const { records, reads } = options;
  const { jti } = claims;
  if (typeof jti !== 'string') return undefined;
  const own = registeredClient(options, claims.client_id);
  const reader = readerOf(waiting, (waiting.client ?? own)?.metadata);
  const declared: ObjectRef | undefined = declaredIn(claims);
  if (declared) {
    const token = await reads.tokens.read(declared, reader);
    return token && records.ofToken(token, jti);
  }
  if (own === undefined) return undefined;
  const { namespace } = own.metadata;
  if (isBatchedId(jti)) {
    const batch = await reads.batches.read({ namespace, name: batchNameOf(jti) }, reader);
    return batch && records.ofBatch(batch, jti);
  }
  const record = await reads.issued.read({ namespace, name: jti }, reader);
  return record && records.ofIssued(record);
};

/** The cached record if it is blacklisted, which is final, or its cache is fresh; else the record that the API server has. */
const findRecord = (
  options: ValidateJwtOptions,
  claims: SignedClaims,
  waiting: Waiting,
): Awaitable<FoundRecord | undefined> => {
  const { jti } = claims;
  const { records, freshness } = options;
  if (typeof jti !== 'string') return undefined;
  const cached = records.find(jti);
  const isUsable = cached && (cached.blacklistedAt !== undefined || isFresh(cached, freshness));
  // What was created again stays so.
  if (cached === undefined && records.isRestored(jti)) return undefined;
  return isUsable ? cached : readRecord(options, claims, waiting);
};

/** The cached client if its cache is fresh, or the token is invalid anyway; else the client that the API server has. */
const findClient = (
  { clients, freshness, reads }: ValidateJwtOptions,
  record: FoundRecord,
  waiting: Waiting,
): Awaitable<OAuthClient | undefined> => {
  const cached = clients.get(record.client);
  if (cached && (record.blacklistedAt !== undefined || freshness.clients(cached.metadata.namespace)))
    return cached;
  const ref = refOf(record.client);
  return reads.clients.read(ref, readerOf(waiting, waiting.client?.metadata ?? ref));
};

/**
 * The record with the client of its JWT. Of the next JWT of a Token its Secret names it, unless it can only be that of the current
 * one, which still exists: no UID comes back.
 */
const withClient = async (
  { secrets, reads }: ValidateJwtOptions,
  { record, client }: { record: FoundRecord; client: OAuthClient | undefined },
  waiting: Waiting,
): Promise<FoundRecord> => {
  if (record.state !== 'Next' || client === undefined || record.clientUID === client.metadata.uid) {
    return record;
  }
  const ref = { namespace: record.origin.namespace, name: record.secretName };
  const clientOf = (secret: SecretMeta | undefined) => secret && clientOfDelivery(secret.metadata, record);
  const reader = readerOf(waiting, (waiting.client ?? client).metadata);
  const clientUID = clientOf(secrets.get(keyOf(ref))) ?? clientOf(await reads.secrets.read(ref, reader));
  return { ...record, clientUID };
};

/** The record as it is after a wait, during which this replica may have blacklisted it, for the client that was found. */
const afterWait = ({ records }: ValidateJwtOptions, record: FoundRecord): FoundRecord => {
  const latest = records.find(record.id);
  if (latest?.blacklistedAt === undefined) return record;
  return latest.state === 'Next' ? { ...latest, clientUID: record.clientUID } : latest;
};

/** Steps 3 to 6 of spec §3; the keyring has checked 1 and 2: the signature, the key and `iss`. */
const validateVerified = (
  options: ValidateJwtOptions,
  { claims, kid }: VerifiedJwt,
  waiting: Waiting,
): Awaitable<JwtValidation> => {
  const { clock, settings } = options;

  // 3. `exp` and `nbf`.
  const timeFault = findTimeFault(claims, clock.now());
  if (timeFault) return invalid(timeFault);

  const validateAgainst = (record: FoundRecord, client: OAuthClient | undefined): JwtValidation => {
    // 5. The client exists as the registered one of this issuer, and is not suspended.
    const own = client && isOfAnotherIssuer(settings, client) ? undefined : client;
    const clientFault = findClientFault(own, record, claims);
    if (clientFault) return invalid(clientFault);
    // 6. Not blacklisted.
    if (record.blacklistedAt !== undefined) return { kind: 'invalid', fault: 'Blacklisted', claims, record };
    // The JWT may have expired while record or client were read.
    return findTimeFault(claims, clock.now()) ? invalid('Expired') : { kind: 'valid', claims, record };
  };

  const validateAfterWait = async (record: FoundRecord, reading: Awaitable<OAuthClient | undefined>) => {
    const client = await reading;
    const found = await withClient(options, { record, client }, waiting);
    return validateAgainst(afterWait(options, found), client);
  };

  return mapAwaitable(findRecord(options, claims, waiting), (record) => {
    // 4. A record that agrees.
    if (record === undefined) return invalid('Unknown');
    const expected = { kid, ownerClaim: settings.ownerClaim, now: clock.now() };
    const recordFault = findRecordFault(record, claims, expected);
    if (recordFault) return invalid(recordFault);
    const client = findClient(options, record, waiting);
    return client instanceof Promise || record.state === 'Next'
      ? validateAfterWait(record, client)
      : validateAgainst(record, client);
  });
};

/** The validation of a JWT whose record is cached as blacklisted, whatever else is unknown now; undefined for every other. */
const findKnownRevocation = (
  { records, clock, settings }: ValidateJwtOptions,
  { claims, kid }: VerifiedJwt,
): InvalidJwt | undefined => {
  const record = typeof claims.jti === 'string' ? records.find(claims.jti) : undefined;
  if (record?.blacklistedAt === undefined) return undefined;
  const fault = findRecordFault(record, claims, { kid, ownerClaim: settings.ownerClaim, now: clock.now() });
  return fault ? undefined : { kind: 'invalid', fault: 'Blacklisted', claims, record };
};

/**
 * Makes {@link ValidateJwt}. A positive answer comes from fresh caches or from the API server; a negative one because of blacklisting
 * needs neither (spec §3, Freshness).
 */
export const createJwtValidator = (options: ValidateJwtOptions): ValidateJwt => {
  const { keyring, queue, freshness, isClockUsable, metrics } = options;

  const validate = (verified: VerifiedJwt | undefined, waiting: Waiting): Awaitable<JwtValidation> => {
    // With a stale cache of SigningKeys, a key that was added or compromised since is unknown.
    const areKeysKnown = freshness.signingKeys();
    if (verified === undefined) {
      if (areKeysKnown) return invalid('NotOurs');
      throw unavailable('the signing keys are not known');
    }
    if (areKeysKnown && isClockUsable()) return validateVerified(options, verified, waiting);
    const revoked = findKnownRevocation(options, verified);
    if (revoked) return revoked;
    throw unavailable(
      areKeysKnown ? "this replica's clock is too far off" : 'the signing keys are not known',
    );
  };
  const counted = (validation: JwtValidation): JwtValidation => {
    metrics.jwtValidated(validation.kind);
    return validation;
  };
  const failed = (error: unknown): never => {
    metrics.jwtValidated('unavailable');
    throw error;
  };

  return (jwt, call, client) => {
    try {
      const waiting = { call, client };
      // Whose JWT it is nobody knows before.
      const verified = keyring.verify(jwt, (check) => {
        const { key, signal } = readerOf(waiting, client?.metadata);
        return queue.run(key, check, signal);
      });
      const validation = mapAwaitable(verified, (own) => validate(own, waiting));
      return validation instanceof Promise ? validation.then(counted, failed) : counted(validation);
    } catch (error) {
      return failed(error);
    }
  };
};
