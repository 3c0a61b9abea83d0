import type { KubeObject } from '../../api/meta.ts';
import type { OAuthClient } from '../../api/oauth-client.ts';
import type { Token } from '../../api/token.ts';
import type { CachedNamespace } from '../../domain/cached-namespace.ts';
import type { IssuerSettings } from '../../domain/jwt/claims.ts';
import { markingOf } from '../../domain/own-mark.ts';
import { clientKeyOf, secretNameOf } from '../../domain/token/declared-token.ts';
import { dataKeysOf, madeForToken } from '../../domain/token/secret-content.ts';
import {
  mayBeTakenOver,
  needsContent,
  provesOwnership,
  secretControllerOf,
} from '../../domain/token/secret-faults.ts';
import type {
  KnownBlocker,
  ObservedJwt,
  ObservedSecret,
  SecretFailure,
  TokenObservation,
} from '../../domain/token/token-observation.ts';
import type { Cache } from '../../ports/cache.ts';
import { type ApiError, getIfThere, type ResourceClient } from '../../ports/kube.ts';
import type { NamedSecrets, Secret, SecretMeta } from '../../ports/secrets.ts';
import type { Keyring } from '../../ports/signing.ts';
import { SECRET_INDEX } from './token-triggers.ts';

/** Limits on reading a Secret, which others may write to as well. */
const MAX_DATA_KEYS = 16;
const MAX_BASE64_LENGTH = 128 * 1024;

/** What a Token's observation is read from. */
export interface TokenSources {
  readonly clients: Cache<OAuthClient>;
  /** Metadata of the Secrets with the operator's labels. */
  readonly secrets: Cache<SecretMeta>;
  /** By name. */
  readonly namespaces: Cache<CachedNamespace>;
  /** Secrets without those labels, watched by name because a resource refers to them. */
  readonly named: NamedSecrets;
  readonly keyring: Keyring;
  readonly settings: IssuerSettings;
  /** Must return `metadata.managedFields`, from which `secretMetaOf` reads who wrote what. */
  readonly secretClient: Pick<ResourceClient<Secret>, 'get'>;
  /** All metadata of a Secret that was read. */
  readonly secretMetaOf: (secret: KubeObject) => SecretMeta;
}

/** What an earlier step of the same reconcile found. */
export interface Findings {
  /** The Token from the API server, with what caches do not hold. */
  readonly whole?: Token | undefined;
  /** The Secret because of which a create got AlreadyExists. */
  readonly existing?: Secret | undefined;
  readonly failure?: SecretFailure | undefined;
  /** Set if a retry may help: `reconcile` throws it after the status was written, so that the Token is requeued with backoff. */
  readonly error?: ApiError | undefined;
}

/** A Secret as one reconcile knows it; `fetched` is the whole Secret, if this reconcile got it from the API server. */
export interface KnownSecret {
  readonly meta: SecretMeta;
  readonly fetched: Secret | undefined;
}

/** An observation, and the Secrets from which it was made, by name. */
export interface Observed {
  readonly observation: TokenObservation;
  readonly secrets: ReadonlyMap<string, KnownSecret>;
}

/** A Secret as a plan knows it by its metadata. */
export const describeMetadata = (token: Token, secret: SecretMeta): ObservedSecret => {
  const { metadata, isReduced, fields } = secret;
  const controller = secretControllerOf(token, metadata.ownerReferences);
  return {
    name: metadata.name,
    uid: metadata.uid,
    resourceVersion: metadata.resourceVersion,
    owned: controller === 'Token',
    controller,
    marking: markingOf(metadata, madeForToken(token.metadata)),
    terminating: metadata.deletionTimestamp !== undefined,
    isReduced,
    labels: metadata.labels ?? {},
    annotations: metadata.annotations ?? {},
    fields,
  };
};

/**
 * The JWTs in a Secret that one of the issuer's keys signed, from at most 16 values of at most 128 Ki base64 characters each;
 * those of `preferredKeys` come first. Other values are ignored.
 */
export const readJwts = async (
  { data = {} }: Secret,
  { preferredKeys, keyring }: { readonly preferredKeys: readonly string[]; readonly keyring: Keyring },
): Promise<ObservedJwt[]> => {
  const keys = new Set([...preferredKeys.filter((key) => Object.hasOwn(data, key)), ...Object.keys(data)]);
  const candidates = [...keys]
    .map((key) => [key, data[key] ?? ''] as const)
    .filter(([, value]) => value.length <= MAX_BASE64_LENGTH)
    .slice(0, MAX_DATA_KEYS);
  const jwts: ObservedJwt[] = [];
  for (const [dataKey, value] of candidates) {
    const verified = await keyring.verify(Buffer.from(value, 'base64').toString('utf8'));
    if (verified) jwts.push({ dataKey, kid: verified.kid, claims: verified.claims });
  }
  return jwts;
};

const cachedSecrets = (token: Token, sources: TokenSources): Map<string, SecretMeta> => {
  const metas = new Map<string, SecretMeta>();
  for (const meta of sources.secrets.byIndex(SECRET_INDEX.token, token.metadata.uid)) {
    if (meta.metadata.namespace === token.metadata.namespace) metas.set(meta.metadata.name, meta);
  }
  const wanted = secretNameOf(token);
  const key = `${token.metadata.namespace}/${wanted}`;
  const inPlace = sources.secrets.get(key) ?? sources.named.get(key);
  if (inPlace && !metas.has(wanted)) metas.set(wanted, inPlace);
  return metas;
};

const readSecrets = async (
  token: Token,
  sources: TokenSources,
  { existing }: Findings,
  signal: AbortSignal,
): Promise<Map<string, KnownSecret>> => {
  const secrets = new Map<string, KnownSecret>();
  for (const [name, meta] of cachedSecrets(token, sources)) {
    if (name === existing?.metadata.name) continue;
    const described = describeMetadata(token, meta);
    if (!needsContent(token, described) && !mayBeTakenOver(token, described)) {
      secrets.set(name, { meta, fetched: undefined });
      continue;
    }
    const fetched = await getIfThere(sources.secretClient, meta.metadata, signal);
    if (fetched) secrets.set(name, { meta: sources.secretMetaOf(fetched), fetched });
  }
  if (existing) {
    secrets.set(existing.metadata.name, { meta: sources.secretMetaOf(existing), fetched: existing });
  }
  return secrets;
};

/** A Secret as a plan knows it, with the JWTs in it if it was fetched and the Token owns it, or a JWT in it proves that it does. */
export const describeSecret = async (
  token: Token,
  { meta, fetched }: KnownSecret,
  keyring: Keyring,
): Promise<ObservedSecret> => {
  const described = describeMetadata(token, meta);
  const isCandidate = mayBeTakenOver(token, described);
  if (!fetched || !(described.owned || isCandidate)) return described;
  const preferredKeys = [...Object.values(dataKeysOf(token)), ...meta.fields.managedDataKeys];
  const jwts = await readJwts(fetched, { preferredKeys, keyring });
  const owned = described.owned || provesOwnership(token, jwts);
  return owned ? { ...described, owned, jwts } : described;
};

/**
 * Observes a Token from the caches. The data of a Secret is fetched only if the Token controls it, and its metadata differs
 * from what the operator wrote or names the next `jti`, whose status write may be missing after a crash (spec §2.1); or if it may be
 * taken over.
 * @throws ApiError if a Secret can't be read
 */
export const observeToken = async (
  token: Token,
  sources: TokenSources,
  input: Findings & {
    readonly now: number;
    readonly signal: AbortSignal;
    readonly blocker?: KnownBlocker | undefined;
    readonly reissueAt?: number | undefined;
    readonly repairAt?: number | undefined;
  },
): Promise<Observed> => {
  const secrets = await readSecrets(token, sources, input, input.signal);
  const described: ObservedSecret[] = [];
  for (const known of secrets.values()) described.push(await describeSecret(token, known, sources.keyring));
  const { keyring } = sources;
  const namespace = sources.namespaces.get(token.metadata.namespace);
  const observation: TokenObservation = {
    token,
    client: sources.clients.get(clientKeyOf(token)),
    namespaceLabels: namespace?.hasTooManyLabels ? undefined : (namespace?.metadata.labels ?? {}),
    secrets: described,
    keys: { activeKid: keyring.active()?.kid, phase: (kid) => keyring.phase(kid) },
    settings: sources.settings,
    now: input.now,
    failure: input.failure,
    blocker: input.blocker,
    reissueAt: input.reissueAt,
    repairAt: input.repairAt,
  };
  return { observation, secrets };
};
