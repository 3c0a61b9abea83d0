import { createHash } from 'node:crypto';
import type { OwnerReference } from '../../api/meta.ts';
import { secondsOf } from '../../api/time.ts';
import type { Token } from '../../api/token.ts';
import {
  heldResourceMetadata,
  heldTexts,
  mayBeDigest,
  RENEW_REQUEST,
  requestedValue,
} from '../held-metadata.ts';
import { MADE_AS_ANNOTATION } from '../own-mark.ts';

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/iu;

/**
 * The name-based UUID, version 5 (RFC 9562 §5.5), of `name` within `namespace`.
 * @throws RangeError if the namespace is not a UUID
 */
export const uuidV5 = (namespace: string, name: string): string => {
  if (!UUID.test(namespace)) throw new RangeError('the namespace of a name-based UUID must be a UUID');
  const hash = createHash('sha1')
    .update(Buffer.from(namespace.replaceAll('-', ''), 'hex'))
    .update(name);
  const octets = hash.digest().subarray(0, 16);
  octets.writeUInt8((octets.readUInt8(6) & 0x0f) | 0x50, 6);
  octets.writeUInt8((octets.readUInt8(8) & 0x3f) | 0x80, 8);
  const hex = octets.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
};

/**
 * The `jti` of a Token's n-th JWT (spec §2.1, `status.id`). It is known before the JWT is signed, and signing again gives the same.
 * @throws RangeError if the uid is not a UUID; the API server assigns UUIDs only
 */
export const tokenId = (uid: string, issuance: number): string => uuidV5(uid, String(issuance));

/** The `jti` that the next JWT of a Token will have (spec §2.1). */
export const nextTokenId = ({ metadata, status }: Pick<Token, 'metadata' | 'status'>): string =>
  tokenId(metadata.uid, (status?.issuance ?? 0) + 1);

/** The `jti`s that a Token's status records: that of the current JWT and those in `status.previous`. */
export const recordedIdsOf = ({ status }: Pick<Token, 'status'>): string[] => [
  ...(status?.id === undefined ? [] : [status.id]),
  ...(status?.previous ?? []).map(({ id }) => id),
];

/** Whether a Token is revoked: `spec.revoked` counts on every endpoint before `status.blacklisted` records it (spec §2.1). */
export const isBlacklisted = ({ spec, status }: Pick<Token, 'spec' | 'status'>): boolean =>
  status?.blacklisted?.flag === true || spec.revoked === true;

/** The cache key `<namespace>/<name>` of the OAuthClient of a Token; the namespace defaults to the Token's (spec §2.1). */
export const clientKeyOf = ({ metadata, spec }: Pick<Token, 'metadata' | 'spec'>): string =>
  `${spec.clientRef.namespace ?? metadata.namespace}/${spec.clientRef.name}`;

/** When the current JWT of a Token expires, in seconds since the Unix epoch; undefined if there is no JWT or it never expires. */
export const currentExpiration = ({ status }: Pick<Token, 'status'>): number | undefined =>
  status?.expiration === undefined ? undefined : secondsOf(status.expiration);

/** The annotations of a Token's Secret that belong to the operator (spec §2.1); a spec can't set them. */
export const SECRET_ANNOTATIONS = {
  /** The `jti` of the JWT. */
  tokenId: 'm2moauth.dev/token-id',
  /** The uid of the OAuthClient for which the JWT was issued. */
  clientUID: 'm2moauth.dev/client-uid',
  /** `status.lastHandledRenew` at the issuance. */
  renew: RENEW_REQUEST.annotation,
  /** The Secret's own name, and the Token. */
  madeAs: MADE_AS_ANNOTATION,
  /** The names of `spec.secret` that the operator wrote: others may be those of a policy. */
  wrote: 'm2moauth.dev/wrote',
} as const;

/** The name of the Secret that a Token asks for. */
export const secretNameOf = ({ metadata, spec }: Token): string => spec.secret?.name ?? metadata.name;

/** Whether the object with that uid is the controller of an object with these owner references. */
export const isControlledBy = (uid: string, references: readonly OwnerReference[] | undefined): boolean =>
  (references ?? []).some((reference) => reference.uid === uid && reference.controller === true);

/**
 * What caches hold of a Token: of its metadata what plans compare, the renew annotation as a status remembers it, and long
 * annotations for its Secret as digests, which a Secret's are compared with. Holding it again changes nothing.
 */
export const cachedTokenOf = ({ apiVersion, kind, metadata, spec, status }: Token): Token => {
  const renew = requestedValue(RENEW_REQUEST, metadata);
  const { secret } = spec;
  return {
    apiVersion,
    kind,
    metadata: {
      ...heldResourceMetadata(metadata),
      ...(renew !== undefined && { annotations: { [RENEW_REQUEST.annotation]: renew } }),
    },
    spec: secret?.annotations
      ? { ...spec, secret: { ...secret, annotations: heldTexts(secret.annotations) } }
      : spec,
    ...(status && { status }),
  };
};

/** Whether the Token has to be read before its Secret is written: annotations for the Secret may be held as digests only. */
export const mayLackAnnotations = ({ spec }: Token): boolean =>
  Object.values(spec.secret?.annotations ?? {}).some(mayBeDigest);
