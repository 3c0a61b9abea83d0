import { parse } from 'yaml';
import { z } from 'zod';

/** A lifetime as Go's YAML has it: a duration, or nanoseconds. */
const lifetime = z.union([z.string(), z.number()]).default('0s');

const texts = z
  .array(z.string())
  .nullish()
  .transform((list) => list ?? []);

/** The part of `jwtPrivateKey.authorization` that says whom to trust: an authority, or some of them. */
const authorization = z
  .object({
    audience: z.string().nullish(),
    authority: z.string().nullish(),
    endpoints: z.array(z.object({ authority: z.string().nullish() })).nullish(),
  })
  .nullish();

const client = z.object({
  id: z.string().min(1),
  secretFile: z.string().nullish(),
  owner: z.string().nullish(),
  accessTokenLifetime: lifetime,
  allowedGrantTypes: texts,
  allowedAudiences: texts,
  allowedScopes: texts,
  jwtPrivateKey: z.object({ enabled: z.boolean().default(false), authorization }).nullish(),
  insertTokenClaims: z.record(z.string(), z.unknown()).nullish(),
});

const configuration = z.object({
  oauthSigner: z.object({
    ownerClaim: z.string().nullish(),
    deviceIDClaim: z.string().nullish(),
    domain: z.string().nullish(),
    clients: z.array(client).nullish(),
  }),
});

/** A client of plgd's m2m-oauth-server. */
export type ServerClient = z.output<typeof client>;

/** What a configuration of m2m-oauth-server says that matters to a migration. */
export interface ServerConfiguration {
  readonly clients: readonly ServerClient[];
  readonly ownerClaim: string;
  readonly deviceIDClaim: string;
  readonly domain: string;
}

/**
 * Reads the configuration of m2m-oauth-server; what a migration does not need is passed over.
 * @throws Error that names every field that is not as that server has it
 */
export const readServerConfiguration = (text: string): ServerConfiguration => {
  const read = configuration.safeParse(parse(text));
  if (!read.success) {
    const problems = read.error.issues.map(({ path, message }) => `  - ${path.join('.')}: ${message}`);
    throw new Error(`not a configuration of m2m-oauth-server:\n${problems.join('\n')}`);
  }
  const { clients, ownerClaim, deviceIDClaim, domain } = read.data.oauthSigner;
  return {
    clients: clients ?? [],
    ownerClaim: ownerClaim || 'sub',
    deviceIDClaim: deviceIDClaim || '',
    domain: domain || '',
  };
};
