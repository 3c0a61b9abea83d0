import { z } from 'zod';
import { parseGoYaml } from './go-yaml.ts';

/** A lifetime as Go's YAML has it: a duration, or nanoseconds. */
const lifetime = z
  .string()
  .regex(
    /^(?:\d+|(?:(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+)?$/u,
    'Invalid input: expected a duration such as 1h30m, or nanoseconds',
  )
  .nullish()
  .transform((text) => text || '0s');

const texts = z
  .array(z.string().nullish())
  .nullish()
  .transform((list) => (list ?? []).filter((text) => typeof text === 'string'));

/** A boolean as Go's YAML has it, in YAML 1.1 and 1.2. */
const flag = z
  .string()
  .regex(/^(?:true|false|yes|no|on|off|y|n)?$/iu, 'Invalid input: expected boolean')
  .nullish()
  .transform((text) => /^(?:true|yes|on|y)$/iu.test(text ?? ''));

/** The part of `jwtPrivateKey.authorization` that says whom to trust: an authority, or some of them. */
const authorization = z
  .object({
    audience: z.string().nullish(),
    authority: z.string().nullish(),
    endpoints: z.array(z.object({ authority: z.string().nullish() })).nullish(),
  })
  .nullish();

/** The field with any YAML in it. */
const CLAIMS = 'insertTokenClaims';

const client = z.object({
  id: z.string().min(1),
  secretFile: z.string().nullish(),
  owner: z.string().nullish(),
  accessTokenLifetime: lifetime,
  allowedGrantTypes: texts,
  allowedAudiences: texts,
  allowedScopes: texts,
  jwtPrivateKey: z.object({ enabled: flag, authorization }).nullish(),
  [CLAIMS]: z.record(z.string(), z.unknown()).nullish(),
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
 * @throws Error that names every field that is not as that server has it, and has none of their values
 */
export const readServerConfiguration = (text: string): ServerConfiguration => {
  const read = configuration.safeParse(parseGoYaml(text, [CLAIMS]));
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
