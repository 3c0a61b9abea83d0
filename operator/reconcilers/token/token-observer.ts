import type { KubeObject } from '../../api/meta.ts';
import type { OAuthClient } from '../../api/oauth-client.ts';
import type { Token } from '../../api/token.ts';
import type { IssuerSettings } from '../../domain/jwt/claims.ts';
import { dataKeyOf, needsContent, secretNameOf } from '../../domain/token/secret-plan.ts';
import { nextTokenId } from '../../domain/token/token-id.ts';
import {
  clientKeyOf,
  type KnownBlocker,
  type ObservedSecret,
  type SecretFailure,
  type TokenObservation,
} from '../../domain/token/token-observation.ts';
import type { Cache } from '../../ports/cache.ts';
import { type ApiError, getIfThere, type ResourceClient } from '../../ports/kube.ts';
import type { NamedSecrets, Secret, SecretMeta } from '../../ports/secrets.ts';
import type { Keyring } from '../../ports/signing.ts';
import { SECRET_INDEX } from './token-indexes.ts';
import { describeSecret, readJwts } from './token-secret.ts';

/** Where a Token's observation comes from. */
export interface TokenSources {
  readonly clients: Cache<OAuthClient>;
  readonly secrets: Cache<SecretMeta>;
  /** Metadata of namespaces, by name. */
  readonly namespaces: Cache<KubeObject>;
  readonly named: NamedSecrets;
  readonly keyring: Keyring;
  readonly settings: IssuerSettings;
  /** Its answers have to keep `metadata.managedFields`: they tell who wrote what. */
  readonly secretClient: Pick<ResourceClient<Secret>, 'get'>;
  /** What is kept of a Secret that was read or written. */
  readonly secretMetaOf: (secret: KubeObject) => SecretMeta;
}

/** What an earlier step of the same pass found out. */
export interface PassFindings {
  /** A create met this Secret at its name. */
  readonly met?: Secret | undefined;
  readonly failure?: SecretFailure | undefined;
  /** To be thrown once the status says what failed, so that the pass is tried again soon. */
  readonly error?: ApiError | undefined;
}

/** A Secret as a pass knows it: the content only where it had to be read. */
export interface KnownSecret {
  readonly meta: SecretMeta;
  readonly live: Secret | undefined;
}

/** An observation, and the Secrets behind it. */
export interface Observed {
  readonly observation: TokenObservation;
  readonly secrets: ReadonlyMap<string, KnownSecret>;
}

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

const knowSecrets = async (
  token: Token,
  sources: TokenSources,
  { met }: PassFindings,
  signal: AbortSignal,
): Promise<Map<string, KnownSecret>> => {
  const secrets = new Map<string, KnownSecret>();
  for (const [name, meta] of cachedSecrets(token, sources)) {
    if (name === met?.metadata.name) continue;
    const described = describeSecret(token, meta);
    if (!needsContent(token, described, nextTokenId({ token }))) {
      secrets.set(name, { meta, live: undefined });
      continue;
    }
    const live = await getIfThere(sources.secretClient, meta.metadata, signal);
    if (live) secrets.set(name, { meta: sources.secretMetaOf(live), live });
  }
  if (met) secrets.set(met.metadata.name, { meta: sources.secretMetaOf(met), live: met });
  return secrets;
};

const describeKnown = async (
  token: Token,
  { meta, live }: KnownSecret,
  keyring: Keyring,
): Promise<ObservedSecret> => {
  const described = describeSecret(token, meta);
  if (!live || !described.owned) return described;
  const likely = [dataKeyOf(token), ...meta.fields.ownData];
  return { ...described, jwts: await readJwts(live, { likely, keyring }) };
};

/**
 * Observes a Token from the caches. The content of a Secret is read only where its metadata says that it is not as it should be,
 * or that it may hold the next issuance.
 * @throws ApiError where a Secret can't be read
 */
export const observeToken = async (
  token: Token,
  sources: TokenSources,
  pass: PassFindings & {
    readonly now: number;
    readonly signal: AbortSignal;
    readonly blocker?: KnownBlocker | undefined;
  },
): Promise<Observed> => {
  const secrets = await knowSecrets(token, sources, pass, pass.signal);
  const described: ObservedSecret[] = [];
  for (const known of secrets.values()) described.push(await describeKnown(token, known, sources.keyring));
  const { keyring } = sources;
  const observation: TokenObservation = {
    token,
    client: sources.clients.get(clientKeyOf(token)),
    namespaceLabels: sources.namespaces.get(token.metadata.namespace)?.metadata.labels ?? {},
    secrets: described,
    keys: { activeKid: keyring.active()?.kid, phase: (kid) => keyring.phase(kid) },
    settings: sources.settings,
    now: pass.now,
    failure: pass.failure,
    blocker: pass.blocker,
  };
  return { observation, secrets };
};
