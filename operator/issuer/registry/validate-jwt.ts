import type { ObjectRef } from '../../api/meta.ts';
import { refOf } from '../../api/meta.ts';
import type { OAuthClient } from '../../api/oauth-client.ts';
import { type Awaitable, mapAwaitable } from '../../async/map-awaitable.ts';
import { CLAIM_INDEX, isRegistered } from '../../domain/client/client-id-claim.ts';
import type { IssuerSettings } from '../../domain/jwt/claims.ts';
import {
  declaredIn,
  findClientFault,
  findRecordFault,
  findTimeFault,
  type JwtFault,
  type SignedClaims,
} from '../../domain/jwt/jwt-checks.ts';
import { batchNameOf, isBatchedId } from '../../domain/record/batch-id.ts';
import type { FoundRecord } from '../../domain/record/token-record.ts';
import type { Cache } from '../../ports/cache.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Freshness } from '../../ports/freshness.ts';
import type { Metrics } from '../../ports/metrics.ts';
import type { Keyring, VerifiedJwt } from '../../ports/signing.ts';
import { IssuerFailure } from '../failure.ts';
import type { Call } from '../use-cases.ts';
import type { RegistryReads } from './live-reads.ts';
import { isFresh, type Records } from './records.ts';

/** A JWT of ours that is good now, and what stands behind it. */
export interface ValidJwt {
  readonly kind: 'valid';
  readonly claims: SignedClaims;
  readonly record: FoundRecord;
}

/** A JWT that is not good; with its record where it is `Blacklisted` and otherwise good. */
interface InvalidJwt {
  readonly kind: 'invalid';
  readonly fault: JwtFault;
  readonly claims?: SignedClaims;
  readonly record?: FoundRecord;
}

export type JwtValidation = ValidJwt | InvalidJwt;

/** Somebody who waits, until the signal aborts. Who can be answered at once is never asked for it: signals cost something. */
type Waiting = Pick<Call, 'signal'>;

/** The one judge of a JWT for every door (spec §3). @throws IssuerFailure `Unavailable` where it can't know */
export type ValidateJwt = (jwt: string, call: Waiting) => Awaitable<JwtValidation>;

export interface ValidateJwtOptions {
  readonly keyring: Pick<Keyring, 'verify'>;
  readonly records: Records;
  /** Indexed by {@link CLAIM_INDEX}. */
  readonly clients: Pick<Cache<OAuthClient>, 'get' | 'byIndex'>;
  readonly reads: RegistryReads;
  readonly freshness: Freshness;
  readonly settings: Pick<IssuerSettings, 'ownerClaim'>;
  /** False while this clock is too far off the API server's to judge times by it. */
  readonly isClockUsable: () => boolean;
  readonly clock: Clock;
  readonly metrics: Pick<Metrics, 'jwtValidated'>;
}

const invalid = (fault: JwtFault): InvalidJwt => ({ kind: 'invalid', fault });

const unavailable = (detail: string): IssuerFailure =>
  new IssuerFailure('Unavailable', 'the token can not be judged now, try again later', { detail });

/** The namespace of handed-out tokens of a client ID: that of its holder. */
const namespaceOf = ({ clients }: ValidateJwtOptions, clientID: unknown): string | undefined => {
  if (typeof clientID !== 'string') return undefined;
  for (const client of clients.byIndex(CLAIM_INDEX, clientID)) {
    if (isRegistered(client)) return client.metadata.namespace;
  }
  return undefined;
};

/** The record of a JWT from the API server, by one GET. */
const readRecord = async (
  options: ValidateJwtOptions,
  claims: SignedClaims,
  { signal }: Waiting,
): Promise<FoundRecord | undefined> => {
  const { records, reads } = options;
  const { jti } = claims;
  if (typeof jti !== 'string') return undefined;
  const declared: ObjectRef | undefined = declaredIn(claims);
  if (declared) {
    const token = await reads.tokens.read(declared, signal);
    return token && records.ofToken(token, jti);
  }
  const namespace = namespaceOf(options, claims.client_id);
  if (namespace === undefined) return undefined;
  if (isBatchedId(jti)) {
    const batch = await reads.batches.read({ namespace, name: batchNameOf(jti) }, signal);
    return batch && records.ofBatch(batch, jti);
  }
  const record = await reads.issued.read({ namespace, name: jti }, signal);
  return record?.metadata.deletionTimestamp === undefined ? record : undefined;
};

/** The cached record where that is enough for an answer: it says no for ever, or its watch is in step. */
const findRecord = (
  options: ValidateJwtOptions,
  claims: SignedClaims,
  call: Waiting,
): Awaitable<FoundRecord | undefined> => {
  const { jti } = claims;
  const cached = typeof jti === 'string' ? options.records.find(jti) : undefined;
  const isEnough = cached && (cached.blacklistedAt !== undefined || isFresh(cached, options.freshness));
  return isEnough ? cached : readRecord(options, claims, call);
};

/** Likewise the client; one that the cache does not know is asked for. */
const findClient = (
  { clients, freshness, reads }: ValidateJwtOptions,
  record: FoundRecord,
  call: Waiting,
): Awaitable<OAuthClient | undefined> => {
  const cached = clients.get(record.client);
  // Of a blacklisted token a cache in whatever state says enough: it is good no more.
  if (cached && (record.blacklistedAt !== undefined || freshness.clients())) return cached;
  return reads.clients.read(refOf(record.client), call.signal);
};

/** The last of it, once record and client are known. */
const validateAgainstRecord = (
  { clock }: ValidateJwtOptions,
  { claims, record }: Pick<ValidJwt, 'claims' | 'record'>,
  client: OAuthClient | undefined,
): JwtValidation => {
  const clientFault = findClientFault(client, record, claims);
  if (clientFault) return invalid(clientFault);
  if (record.blacklistedAt !== undefined) return { kind: 'invalid', fault: 'Blacklisted', claims, record };
  return findTimeFault(claims, clock.now()) ? invalid('Expired') : { kind: 'valid', claims, record };
};

/** It went on while the client was asked for: a revocation that this replica took meanwhile counts. */
const latestOf = ({ records }: ValidateJwtOptions, record: FoundRecord): FoundRecord => {
  const latest = records.find(record.id);
  return latest?.blacklistedAt === undefined ? record : latest;
};

const validateVerified = (
  options: ValidateJwtOptions,
  { claims, kid }: VerifiedJwt,
  call: Waiting,
): Awaitable<JwtValidation> => {
  const { clock, settings } = options;
  const timeFault = findTimeFault(claims, clock.now());
  if (timeFault) return invalid(timeFault);
  return mapAwaitable(findRecord(options, claims, call), (record) => {
    if (record === undefined) return invalid('Unknown');
    const now = clock.now();
    const recordFault = findRecordFault(record, claims, { kid, ownerClaim: settings.ownerClaim, now });
    if (recordFault) return invalid(recordFault);
    const client = findClient(options, record, call);
    if (!(client instanceof Promise)) return validateAgainstRecord(options, { claims, record }, client);
    return client.then((found) =>
      validateAgainstRecord(options, { claims, record: latestOf(options, record) }, found),
    );
  });
};

/** What was blacklisted is bad whatever else is not known. */
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
 * Makes the {@link ValidateJwt}: pinned algorithm and signature, key phase, issuer → time → a record that agrees → the client →
 * not blacklisted. A yes comes from caches that are in step, or from the API server; a no needs neither.
 */
export const createJwtValidator = (options: ValidateJwtOptions): ValidateJwt => {
  const { keyring, freshness, isClockUsable, metrics } = options;

  const validate = (verified: VerifiedJwt | undefined, call: Waiting): Awaitable<JwtValidation> => {
    // A key that was made or given up since is not known while the watch of keys is out of step.
    const areKeysKnown = freshness.signingKeys();
    if (verified === undefined) {
      if (areKeysKnown) return invalid('NotOurs');
      throw unavailable('the signing keys are not known');
    }
    if (areKeysKnown && isClockUsable()) return validateVerified(options, verified, call);
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

  return (jwt, call) => {
    try {
      const validation = mapAwaitable(keyring.verify(jwt), (verified) => validate(verified, call));
      return validation instanceof Promise ? validation.then(counted, failed) : counted(validation);
    } catch (error) {
      return failed(error);
    }
  };
};
