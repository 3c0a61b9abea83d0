import { z } from 'zod';
import { SigningKeySpecSchema } from '../api/signing-key.ts';
import { type IssuerUrls, isThisIssuer } from '../domain/client/client-rules.ts';
import { isSameButForSlash, isSameIssuer } from '../domain/client/issuer-identity.ts';
import { MAX_BACKDATE_SECONDS } from '../domain/record/token-record.ts';
import {
  type Address,
  address,
  authorityUrl,
  cidr,
  claimName,
  duration,
  isLoopbackHost,
  issuerUrl,
  namespaceName,
} from './values.ts';

const file = z.string().max(4096).default('');

const tls = z
  .strictObject({
    certFile: file,
    keyFile: file,
    caFile: file,
    clientCertificateRequired: z.boolean().default(false),
    plaintext: z.boolean().default(false),
  })
  .prefault({});

type Tls = z.output<typeof tls>;

/** Plain text leaves the machine only if the configuration allows it explicitly. */
const checkListener = (listener: { address: Address; tls: Tls }, context: z.RefinementCtx): void => {
  const { certFile, keyFile, caFile, clientCertificateRequired, plaintext } = listener.tls;
  const problem = (path: string[], message: string) => context.addIssue({ code: 'custom', path, message });
  if ((certFile === '') !== (keyFile === '')) {
    problem(['tls'], 'certFile and keyFile belong together: set both or neither');
  }
  if (clientCertificateRequired && caFile === '') {
    problem(['tls', 'clientCertificateRequired'], 'needs caFile, the authority of the client certificates');
  }
  if (plaintext && certFile !== '') problem(['tls', 'plaintext'], 'contradicts certFile: set one of them');
  if (certFile === '' && !plaintext && !isLoopbackHost(listener.address.host)) {
    problem(
      ['tls'],
      'an address that is not loopback needs certFile and keyFile, or plaintext: true where something else encrypts',
    );
  }
};

/** Listeners of one replica; a probe that shares its port with one of the others would wait with that one's clients. */
interface Listeners {
  readonly grpc: { readonly address: Address };
  readonly http: { readonly address: Address };
  readonly ops: { readonly address: Address };
  readonly probes: { readonly address: Address };
}

const checkProbePort = ({ grpc, http, ops, probes }: Listeners, context: z.RefinementCtx): void => {
  const { port } = probes.address;
  if (port === 0) return;
  for (const [name, { address }] of Object.entries({ grpc, http, ops })) {
    if (address.port !== port) continue;
    const message = `must differ from the port of ${name}.address (${port}): probes have a listener to themselves`;
    context.addIssue({ code: 'custom', path: ['probes', 'address'], message });
  }
};

const kubernetes = (podNamespace: string | undefined) =>
  z
    .strictObject({
      namespace: namespaceName.default(podNamespace ?? 'm2m-oauth-system'),
      watchNamespaces: z.array(namespaceName).max(100).default([]),
    })
    .prefault({});

const issuer = z
  .strictObject({
    url: issuerUrl().default('https://localhost:9101/m2m-oauth-server'),
    previousURLs: z.array(issuerUrl()).max(8).default([]),
    ownerClaim: claimName.min(1).default('sub'),
    deviceIDClaim: claimName.default(''),
    signingKey: z.string().min(1).max(253).default('default'),
    jwks: z.enum(['All', 'SigningKey']).default('All'),
    tokenType: z.enum(['at+jwt', 'JWT']).default('at+jwt'),
    backdate: duration('0s').refine((ms) => ms <= MAX_BACKDATE_SECONDS * 1000, 'must be at most 10m'),
  })
  .prefault({})
  .superRefine(({ url, previousURLs }, context) =>
    previousURLs.forEach((previous, at) => {
      const message = 'must differ from issuer.url and from the other entries';
      if ([url, ...previousURLs.slice(0, at)].some((other) => isSameIssuer(other, previous)))
        context.addIssue({ code: 'custom', path: ['previousURLs', at], message });
    }),
  )
  .refine((value) => value.deviceIDClaim === '' || value.deviceIDClaim !== value.ownerClaim, {
    path: ['deviceIDClaim'],
    message: 'must differ from ownerClaim',
  });

const authorization = z
  .strictObject({
    issuedTokens: z
      .strictObject({
        access: z.enum(['Owner', 'Self']).default('Owner'),
        scope: z.string().default(''),
        audience: z.string().default(''),
      })
      .prefault({}),
    endpoints: z
      .array(
        z.strictObject({
          authority: authorityUrl,
          audience: z.string().min(1),
          ownerPrefix: z.string().optional(),
          caFile: file,
          additionalTypes: z.array(z.string().min(1).max(128)).max(8).default([]),
          alsoAssertions: z.boolean().default(false),
        }),
      )
      .max(32)
      .default([]),
  })
  .prefault({});

/** This issuer is no external one, however its URL is written: its tokens are bearers by their records alone. */
const checkEndpoints = (
  config: { issuer: IssuerUrls; authorization: z.output<typeof authorization> },
  context: z.RefinementCtx,
): void =>
  config.authorization.endpoints.forEach(({ authority, audience }, at, all) => {
    const path = ['authorization', 'endpoints', at, 'authority'];
    const isTwice = all
      .slice(0, at)
      .some(
        (other) =>
          other.audience === audience &&
          other.authority !== authority &&
          isSameButForSlash(other.authority, authority),
      );
    if (isTwice) {
      const message = 'differs from that of another entry by a slash at the end alone: remove one of them';
      context.addIssue({ code: 'custom', path, message });
    }
    if (!isThisIssuer(config.issuer, authority)) return;
    const message =
      'must not be this issuer (issuer.url), whose tokens are bearers already: remove the entry';
    context.addIssue({ code: 'custom', path, message });
  });

/** What of a SigningKey's spec it makes sense to create one with: strict at every depth, unlike the CRD's schema. */
const signingKeySpec = z.strictObject({
  ...SigningKeySpecSchema.shape,
  rotation: z.strictObject(SigningKeySpecSchema.shape.rotation.unwrap().shape).optional(),
  privateKeyRef: z.strictObject(SigningKeySpecSchema.shape.privateKeyRef.unwrap().shape).optional(),
});

const leaderElection = z
  .strictObject({
    enabled: z.boolean().default(true),
    leaseDuration: duration('15s').refine((ms) => ms >= 1000, 'must be at least 1s'),
    renewDeadline: duration('10s'),
    retryPeriod: duration('2s').refine((ms) => ms >= 100, 'must be at least 100ms'),
  })
  .prefault({})
  .refine((value) => value.leaseDuration > value.renewDeadline, {
    path: ['renewDeadline'],
    message: 'must be shorter than leaseDuration',
  })
  .refine((value) => value.renewDeadline > 1.2 * value.retryPeriod, {
    path: ['retryPeriod'],
    message: 'times 1.2 must be shorter than renewDeadline',
  });

/** What one address may have at once; no less than one, or nobody could use the server. */
const atOnce = (byDefault: number) => z.int().min(1).max(1_000_000).default(byDefault);

const limits = z
  .strictObject({
    connections: atOnce(2048),
    perAddress: z
      .strictObject({
        connections: atOnce(1024),
        connectionsPerSecond: atOnce(500),
        streams: atOnce(2048),
        unfinishedRequests: atOnce(1024),
        healthWatches: atOnce(1024),
      })
      .prefault({}),
    perClient: z
      .strictObject({
        tokensPerSecond: z.int().min(0).max(100_000).default(0),
        burst: z.int().min(0).max(100_000).default(0),
        activeTokens: z.int().min(0).max(10_000_000).default(0),
      })
      .prefault({}),
    memoryWatermark: z.int().min(0).max(100).default(90),
  })
  .prefault({});

/** The whole configuration (spec §6). Unknown keys are rejected, so that a misspelled one is noticed; durations become milliseconds, addresses are split. */
export const configSchema = (podNamespace: string | undefined) =>
  z
    .strictObject({
      log: z
        .strictObject({ level: z.enum(['trace', 'debug', 'info', 'warn', 'error']).default('info') })
        .prefault({}),
      kubernetes: kubernetes(podNamespace),
      issuer,
      grpc: z
        .strictObject({ address: address(':9100'), tls })
        .prefault({})
        .superRefine(checkListener),
      http: z
        .strictObject({
          address: address(':9101'),
          tls,
          cors: z.strictObject({ origins: z.array(z.string().min(1)).max(100).default([]) }).prefault({}),
          trustedProxies: z.array(cidr).max(100).default([]),
        })
        .prefault({})
        .superRefine(checkListener),
      ops: z.strictObject({ address: address(':9102') }).prefault({}),
      probes: z.strictObject({ address: address(':9104') }).prefault({}),
      authorization,
      outbound: z
        .strictObject({ caFile: file, allowedCIDRs: z.array(cidr).max(100).default([]) })
        .prefault({}),
      garbageCollection: z
        .strictObject({ ttlAfterExpiry: duration('1h'), ttlAfterBlacklisted: duration('720h') })
        .prefault({}),
      leaderElection,
      limits,
      signingKey: z
        .strictObject({ create: z.boolean().default(false), spec: signingKeySpec.prefault({}) })
        .prefault({}),
    })
    .superRefine(checkProbePort)
    .superRefine(checkEndpoints);

type DeepReadonly<T> = T extends readonly (infer Item)[]
  ? readonly DeepReadonly<Item>[]
  : T extends object
    ? { readonly [Key in keyof T]: DeepReadonly<T[Key]> }
    : T;

/** The operator's configuration: validated, complete and frozen. Durations are milliseconds. */
export type Config = DeepReadonly<z.output<ReturnType<typeof configSchema>>>;
