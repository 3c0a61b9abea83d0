import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { parseAllDocuments } from 'yaml';
import type { z } from 'zod';
import { API_VERSION } from '../../../operator/api/meta.ts';
import { OAuthClientSpecSchema } from '../../../operator/api/oauth-client-spec.ts';
import { SigningKeySpecSchema } from '../../../operator/api/signing-key.ts';
import { TokenSpecSchema } from '../../../operator/api/token-spec.ts';

const SAMPLES = join(import.meta.dirname, '../../../crds/samples');
const SCHEMAS: Readonly<Record<string, z.ZodType>> = {
  Token: TokenSpecSchema,
  OAuthClient: OAuthClientSpecSchema,
  SigningKey: SigningKeySpecSchema,
};

interface Sample {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec: object;
}

const samples = readdirSync(SAMPLES).flatMap((file) =>
  parseAllDocuments(readFileSync(join(SAMPLES, file), 'utf8'))
    .map((document) => document.toJS() as Sample)
    .filter(({ apiVersion }) => apiVersion === API_VERSION)
    .map(({ kind, metadata, spec }) => [file, kind, metadata.name, spec] as const),
);

test.each(samples)('%s: the schema of %s takes %s whole', (_file, kind, _name, spec) => {
  expect(SCHEMAS[kind]?.parse(spec)).toMatchObject(spec);
});
