import type { z } from 'zod';
import { type CelRule, validations } from '../../operator/api/cel-rule.ts';
import { CRD_REVISION, CRD_REVISION_ANNOTATION } from '../../operator/api/crd-revision.ts';
import {
  ISSUED_TOKEN_TRANSITIONS,
  IssuedTokenSpecSchema,
  IssuedTokenStatusSchema,
} from '../../operator/api/issued-token.ts';
import { GROUP, MANAGER, VERSION } from '../../operator/api/meta.ts';
import { OAUTH_CLIENT_TRANSITIONS, OAuthClientStatusSchema } from '../../operator/api/oauth-client.ts';
import { OAuthClientSpecSchema } from '../../operator/api/oauth-client-spec.ts';
import {
  SIGNING_KEY_RULES,
  SigningKeySpecSchema,
  SigningKeyStatusSchema,
} from '../../operator/api/signing-key.ts';
import {
  TOKEN_BATCH_TRANSITIONS,
  TokenBatchSpecSchema,
  TokenBatchStatusSchema,
} from '../../operator/api/token-batch.ts';
import { TOKEN_TRANSITIONS } from '../../operator/api/token-rules.ts';
import { TokenSpecSchema } from '../../operator/api/token-spec.ts';
import { TokenStatusSchema } from '../../operator/api/token-status.ts';
import { type StructuralSchema, structuralSchema } from './structural-schema.ts';

/** One column of `kubectl get`; priority 1 is for `-o wide`. */
interface PrinterColumn {
  readonly name: string;
  readonly type: 'string' | 'date' | 'integer' | 'boolean';
  readonly jsonPath: string;
  readonly description: string;
  readonly priority?: number;
}

interface Kind {
  readonly kind: string;
  readonly plural: string;
  readonly shortName: string;
  readonly description: string;
  readonly spec: z.ZodType;
  readonly status: z.ZodType;
  readonly rules: readonly CelRule[];
  readonly columns: readonly PrinterColumn[];
}

/** A CustomResourceDefinition, ready to be written. */
export interface CustomResourceDefinition {
  readonly apiVersion: 'apiextensions.k8s.io/v1';
  readonly kind: 'CustomResourceDefinition';
  readonly metadata: { readonly name: string; readonly [field: string]: unknown };
  readonly spec: { readonly [field: string]: unknown };
}

const column = (name: string, jsonPath: string, description: string, priority?: number): PrinterColumn => ({
  name,
  type: 'string',
  jsonPath,
  description,
  ...(priority !== undefined && { priority }),
});

const condition = (
  name: string,
  type: string,
  field: 'status' | 'reason',
  priority?: number,
): PrinterColumn =>
  column(
    name,
    `.status.conditions[?(@.type=="${type}")].${field}`,
    `The ${field} of the condition ${type}`,
    priority,
  );

const AGE: PrinterColumn = {
  name: 'Age',
  type: 'date',
  jsonPath: '.metadata.creationTimestamp',
  description: 'Time since its creation',
};

const TOKEN: Kind = {
  kind: 'Token',
  plural: 'tokens',
  shortName: 'm2mtoken',
  description: 'A declared token: the operator keeps a signed JWT for it in a Secret.',
  spec: TokenSpecSchema,
  status: TokenStatusSchema,
  rules: TOKEN_TRANSITIONS,
  columns: [
    column('Client', '.spec.clientRef.name', 'The OAuthClient'),
    column('Owner', '.status.owner', 'Owner of the token'),
    condition('Ready', 'Ready', 'status'),
    condition('Reason', 'Ready', 'reason'),
    // No `date`: kubectl prints `<invalid>` for a time that is to come.
    column('Expires', '.status.expiration', 'When the current JWT expires'),
    AGE,
    column('Secret', '.status.secretRef.name', 'The Secret with the JWT', 1),
    column('ID', '.status.id', "The current JWT's jti", 1),
  ],
};

const ISSUED_TOKEN: Kind = {
  kind: 'IssuedToken',
  plural: 'issuedtokens',
  shortName: 'm2missued',
  description: 'The record of an issued token; created by the operator only.',
  spec: IssuedTokenSpecSchema,
  status: IssuedTokenStatusSchema,
  rules: ISSUED_TOKEN_TRANSITIONS,
  columns: [
    column('Client', '.spec.clientRef.name', 'The OAuthClient'),
    column('Owner', '.spec.owner', 'Owner of the token'),
    { ...column('Blacklisted', '.status.blacklisted.flag', 'Whether it is revoked'), type: 'boolean' },
    column('Expires', '.spec.expiration', 'When the JWT expires'),
    AGE,
    column('Token Name', '.spec.tokenName', 'Its name for people', 1),
    column('Key', '.spec.keyID', 'kid of the key that signed the JWT', 1),
  ],
};

const TOKEN_BATCH: Kind = {
  kind: 'TokenBatch',
  plural: 'tokenbatches',
  shortName: 'm2mbatch',
  description:
    'Records of tokens that were issued together, for clients with recording: Batched; created by the operator only.',
  spec: TokenBatchSpecSchema,
  status: TokenBatchStatusSchema,
  rules: TOKEN_BATCH_TRANSITIONS,
  columns: [
    column('Client', '.spec.clientRef.name', 'The OAuthClient'),
    { ...column('Tokens', '.spec.count', 'Number of records'), type: 'integer' },
    { ...column('Blacklisted', '.status.blacklistedCount', 'Number of revoked records'), type: 'integer' },
    column('Expires', '.spec.expiration', 'When the last of the JWTs expires'),
    AGE,
  ],
};

const OAUTH_CLIENT: Kind = {
  kind: 'OAuthClient',
  plural: 'oauthclients',
  shortName: 'm2mclient',
  description: 'An OAuth client: who may have tokens, and which.',
  spec: OAuthClientSpecSchema,
  status: OAuthClientStatusSchema,
  rules: OAUTH_CLIENT_TRANSITIONS,
  columns: [
    column('Client ID', '.status.clientID', 'The client ID that is assigned to it'),
    column('Owner', '.spec.owner', 'Owner of its tokens'),
    condition('Ready', 'Ready', 'status'),
    condition('Reason', 'Ready', 'reason'),
    condition('Credentials', 'CredentialsReady', 'reason'),
    AGE,
    column('Lifetime', '.spec.accessTokenLifetime', 'The longest lifetime of a token', 1),
    column('Issuer', '.status.issuer', 'The issuer to which it belongs', 1),
  ],
};

const SIGNING_KEY: Kind = {
  kind: 'SigningKey',
  plural: 'signingkeys',
  shortName: 'm2mkey',
  description: "Keys that sign tokens, and when they change; it counts in the operator's namespace alone.",
  spec: SigningKeySpecSchema,
  status: SigningKeyStatusSchema,
  rules: SIGNING_KEY_RULES,
  columns: [
    column('Algorithm', '.spec.algorithm', 'Signature algorithm'),
    condition('Ready', 'Ready', 'status'),
    condition('Reason', 'Ready', 'reason'),
    AGE,
    column('Active', '.status.keys[?(@.phase=="Active")].kid', 'kid of the key that signs', 1),
  ],
};

const rootSchema = ({ description, spec, status, rules }: Kind): StructuralSchema => ({
  type: 'object',
  description,
  required: ['spec'],
  properties: {
    apiVersion: { type: 'string', description: `Version of this schema: ${GROUP}/${VERSION}.` },
    kind: { type: 'string', description: 'The kind of this resource.' },
    metadata: { type: 'object' },
    spec: structuralSchema(spec),
    status: structuralSchema(status),
  },
  ...validations(...rules),
});

const definitionOf = (kind: Kind): CustomResourceDefinition => ({
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: {
    name: `${kind.plural}.${GROUP}`,
    annotations: { [CRD_REVISION_ANNOTATION]: String(CRD_REVISION) },
    labels: { 'app.kubernetes.io/part-of': MANAGER },
  },
  spec: {
    group: GROUP,
    scope: 'Namespaced',
    names: {
      kind: kind.kind,
      listKind: `${kind.kind}List`,
      plural: kind.plural,
      singular: kind.kind.toLowerCase(),
      shortNames: [kind.shortName],
      categories: ['m2moauth'],
    },
    versions: [
      {
        name: VERSION,
        served: true,
        storage: true,
        subresources: { status: {} },
        additionalPrinterColumns: kind.columns,
        schema: { openAPIV3Schema: rootSchema(kind) },
      },
    ],
  },
});

/** The CRDs of this product, in the order in which they are written. */
export const customResourceDefinitions = (): readonly CustomResourceDefinition[] =>
  [OAUTH_CLIENT, SIGNING_KEY, TOKEN, ISSUED_TOKEN, TOKEN_BATCH].map(definitionOf);
