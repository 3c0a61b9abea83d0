import { keyOf } from '../../api/meta.ts';
import type { OAuthClient, OAuthClientSpec } from '../../api/oauth-client.ts';
import { equalJitterMs } from '../../async/backoff.ts';
import { type Rate, TokenBucket } from '../../async/token-bucket.ts';
import { canonicalDigest } from '../../domain/canonical-json.ts';
import { type CredentialsFinding, planCredentials } from '../../domain/client/client-credentials.ts';
import { isInConflict, isRegistered } from '../../domain/client/client-rules.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import type { UnreachableError } from '../../ports/outbound.ts';
import type { NamedSecrets } from '../../ports/secrets.ts';
import { DONE, type ReconcileResult } from '../../runtime/controller.ts';
import { type ClientSinks, writeClientStatus } from './client-reconciler.ts';
import { clientFollowerOf } from './client-triggers.ts';
import { type CredentialsSecretOptions, findClientSecret } from './credentials-secret.ts';
import { type IssuerProbeOptions, probeIssuers } from './issuer-probe.ts';
import type { OwnClients } from './own-clients.ts';

export interface ClientCredentialsOptions
  extends ClientSinks,
    CredentialsSecretOptions,
    Omit<IssuerProbeOptions, 'onUnreachable'> {
  readonly oauthClients: ClientSinks['oauthClients'] & CredentialsSecretOptions['oauthClients'];
  readonly ownClients: Pick<OwnClients, 'has'>;
  readonly log: Pick<Log, 'warn'>;
  readonly named: NamedSecrets;
  readonly clock: Clock;
  /** [0, 1). */
  readonly random: () => number;
}

type Authentication = NonNullable<OAuthClientSpec['authentication']>;

/** Findings about external issuers, for which spec, and when they are due again. */
interface Probe {
  readonly digest: string;
  readonly findings: readonly CredentialsFinding[];
  readonly failures: number;
  readonly dueAt: number;
}

const HOUR_MS = 3_600_000;
/** For a Secret that could not be watched or written. */
const LOOK_AGAIN_MS = 60_000;
/** Lines about what is unreachable: a client that is changed again and again must not fill the log. */
const LOG_RATE: Rate = { burst: 10, refillMs: 6000 };
const PROBE_BACKOFF = { baseMs: 5000, capMs: 600_000 };

/**
 * Keeps condition `CredentialsReady` of clients (spec §2.4), and makes the Secrets that they ask for. Separate from
 * registration, since a slow external issuer must not delay the registration of other clients; several workers may
 * run it. Needs what registration needs, and get, create, update, delete of secrets.
 */
export class ClientCredentialsReconciler {
  readonly #options: ClientCredentialsOptions;
  readonly #probes = new Map<string, Probe>();
  readonly #logLines = new TokenBucket(LOG_RATE);
  #unlogged = 0;

  constructor(options: ClientCredentialsOptions) {
    this.#options = options;
  }

  /**
   * Reconciles the client of that key; not reentrant for a key.
   * @throws ApiError on a conflict (plan again) and on any other failure of the API server
   */
  async reconcile(key: string, signal: AbortSignal): Promise<ReconcileResult> {
    const { clients, ownClients, named, clock, trust } = this.#options;
    const client = clients.get(key);
    if (client === undefined || !ownClients.has(client)) {
      named.follow(clientFollowerOf(key), []);
      this.#probes.delete(key);
      return DONE;
    }
    // Registration comes first: only a registered client gets a generated Secret.
    const { issuerUrl: url, previousURLs } = trust;
    if (!isRegistered(client) && !isInConflict({ url, ...(previousURLs && { previousURLs }) }, client))
      return DONE;
    const isFollowed = this.#follow(client);
    const found = await this.#find(client, signal);
    const current = clients.get(key);
    if (current?.metadata.uid !== client.metadata.uid) return { kind: 'requeue', afterMs: 0 };
    const status = planCredentials(current, found, clock.now());
    if (status)
      await writeClientStatus(this.#options, current, { status, about: 'CredentialsReady', signal });
    return this.#result(key, isFollowed && !found.some(({ problem }) => problem?.reason === 'SecretInvalid'));
  }

  #result(key: string, isSettled: boolean): ReconcileResult {
    const dueAt = this.#probes.get(key)?.dueAt;
    const waits = [
      ...(dueAt === undefined ? [] : [Math.max(0, dueAt - this.#options.clock.now())]),
      ...(isSettled ? [] : [LOOK_AGAIN_MS]),
    ];
    return waits.length === 0 ? DONE : { kind: 'requeue', afterMs: Math.min(...waits) };
  }

  #follow({ metadata, spec }: OAuthClient): boolean {
    const name = spec.authentication?.clientSecret?.secretRef.name;
    const keys = name === undefined ? [] : [`${metadata.namespace}/${name}`];
    return this.#options.named.follow(clientFollowerOf(keyOf(metadata)), keys);
  }

  async #find(client: OAuthClient, signal: AbortSignal): Promise<CredentialsFinding[]> {
    const { authentication = {} } = client.spec;
    const assertions = [
      ...this.#findInline(authentication),
      ...(await this.#probe(client, authentication, signal)),
      ...(authentication.serviceAccounts?.length ? [{ method: 'serviceAccounts' as const }] : []),
    ];
    // Spec §2.4: a client secret counts only where no assertion method is configured.
    if (assertions.length > 0 || !authentication.clientSecret) return assertions;
    return [await findClientSecret(this.#options, { client, spec: authentication.clientSecret, signal })];
  }

  #findInline({ privateKeyJWT }: Authentication): CredentialsFinding[] {
    if (!privateKeyJWT?.jwks) return [];
    const method = 'privateKeyJWT' as const;
    const { keys } = privateKeyJWT.jwks;
    const problems = keys.flatMap((key, at) => {
      const { findJwkProblem, isOwnKey } = this.#options;
      const problem = findJwkProblem(key) ?? (isOwnKey(key) ? 'it is a key of this issuer' : undefined);
      return problem === undefined ? [] : [`key ${at}: ${problem}`];
    });
    if (keys.length === 0) problems.push('it has no key');
    if (problems.length === 0) return [{ method }];
    const message = `spec.authentication.privateKeyJWT.jwks: ${problems.slice(0, 5).join(', ')}`;
    return [{ method, problem: { reason: 'SecretInvalid', message } }];
  }

  /** Logs why an issuer is unreachable, at a limited rate: the condition does not say it. */
  #logUnreachable(key: string, { message }: UnreachableError): void {
    if (this.#logLines.take(this.#options.clock.now()) > 0) {
      this.#unlogged += 1;
      return;
    }
    this.#options.log.warn('an issuer of a client is unreachable', {
      client: key,
      why: message,
      ...(this.#unlogged > 0 && { unlogged: this.#unlogged }),
    });
    this.#unlogged = 0;
  }

  /** Probes external issuers if it is due or the spec has changed; otherwise returns the last findings. */
  async #probe(
    { metadata }: OAuthClient,
    authentication: Authentication,
    signal: AbortSignal,
  ): Promise<readonly CredentialsFinding[]> {
    const { clock, random } = this.#options;
    const key = keyOf(metadata);
    const { privateKeyJWT, trustedIssuers = [] } = authentication;
    if (privateKeyJWT?.jwksURI === undefined && trustedIssuers.length === 0) {
      this.#probes.delete(key);
      return [];
    }
    const { uid } = metadata;
    const digest = canonicalDigest({ uid, jwksURI: privateKeyJWT?.jwksURI, trustedIssuers });
    const last = this.#probes.get(key);
    if (last?.digest === digest && clock.now() < last.dueAt) return last.findings;
    const onUnreachable = (error: UnreachableError): void => this.#logUnreachable(key, error);
    const findings = await probeIssuers({ ...this.#options, onUnreachable }, authentication, signal);
    const hasFailed = findings.some(({ problem }) => problem !== undefined);
    const failures = hasFailed ? (last?.digest === digest ? last.failures : 0) + 1 : 0;
    const wait = hasFailed
      ? equalJitterMs(failures - 1, PROBE_BACKOFF, random)
      : HOUR_MS * (0.9 + random() / 10);
    this.#probes.set(key, { digest, findings, failures, dueAt: clock.now() + wait });
    return findings;
  }
}
