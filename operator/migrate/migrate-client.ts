import { formatDuration } from './go-duration.ts';
import type { ServerClient } from './server-clients.ts';

/** An OAuthClient to apply, and what a person has to know or do about it. */
export interface MigratedClient {
  readonly manifest: object;
  readonly notes: readonly string[];
}

/** What becomes of claims that the issuer sets itself: OAuthClients refuse them. */
export interface MigrationOptions {
  readonly namespace: string;
  readonly isReservedClaim: (name: string) => boolean;
  /** Names that are given away already. */
  readonly taken: ReadonlySet<string>;
}

const MAX_NAME = 240;

/** A name that Kubernetes takes: the client ID where it is one, otherwise what is left of it, and a number where that is taken. */
export const objectNameOf = (clientID: string, taken: ReadonlySet<string>): string => {
  const plain = clientID
    .toLowerCase()
    .replace(/[^a-z0-9-]+/gu, '-')
    .replace(/^-+|-+$/gu, '')
    .slice(0, MAX_NAME)
    .replace(/-+$/u, '');
  const base = plain || 'client';
  for (let number = 1; ; number++) {
    const name = number === 1 ? base : `${base}-${number}`;
    if (!taken.has(name)) return name;
  }
};

const quoted = (text: string): string => `'${text.replaceAll("'", String.raw`'\''`)}'`;

/**
 * How to name the secret on a command line: that server's secretFile is a path, a file URL, or the secret itself in a data URL
 * (RFC 2397), which is not printed.
 */
const secretFileOf = (secretFile: string): { readonly path: string; readonly advice: string } => {
  if (!/^data:/iu.test(secretFile))
    return { path: quoted(secretFile.replace(/^file:\/\//iu, '')), advice: '' };
  const [head = ''] = secretFile.split(',', 1);
  const decode = /;base64\s*$/iu.test(head) ? 'decoded by base64 --decode' : 'with its %XX decoded';
  return {
    path: './client_secret',
    advice: ` (the secret itself is in its secretFile, a data: URL, and is not printed: first write what follows the comma there, ${decode}, to the file client_secret, and delete that afterwards)`,
  };
};

const secretAuthentication = (client: ServerClient, name: string, namespace: string) => {
  const secretName = `${name}-client`;
  const { path, advice } = secretFileOf(client.secretFile ?? '');
  const note = `its secret: kubectl --namespace ${namespace} create secret generic ${secretName} --from-literal=client_id=${quoted(client.id)} --from-file=client_secret=${path}${advice}`;
  return {
    authentication: { clientSecret: { secretRef: { name: secretName, key: 'client_secret' } } },
    notes: client.secretFile
      ? [note]
      : ['it has no secretFile and no jwtPrivateKey: it can get no tokens over gRPC and HTTP'],
  };
};

/** The authorities that are there, each once: an OAuthClient has no two that differ by a slash at the end alone. */
const distinct = (authorities: readonly (string | null | undefined)[]): string[] => {
  const found = new Map<string, string>();
  for (const authority of authorities) {
    const key = authority?.replace(/\/$/u, '');
    if (authority && key && !found.has(key)) found.set(key, authority);
  }
  return [...found.values()];
};

const trustedAuthentication = ({ jwtPrivateKey, secretFile }: ServerClient) => {
  const trusted = jwtPrivateKey?.authorization;
  const authorities = [trusted?.authority, ...(trusted?.endpoints ?? []).map(({ authority }) => authority)];
  const audience = trusted?.audience || '*';
  const trustedIssuers = distinct(authorities).map((authority) => ({ authority, audience, ownerPrefix: '' }));
  return {
    authentication: { trustedIssuers },
    notes: [
      ...(trustedIssuers.length === 0 ? ['jwtPrivateKey names no authority: add one to trustedIssuers'] : []),
      ...(audience === '*'
        ? [
            'jwtPrivateKey checks no audience, so every token of the authority is accepted: replace * by the audience',
          ]
        : []),
      ...(trustedIssuers.length > 0
        ? [
            'ownerPrefix is empty, so owners stay as they were: set one if owners of another issuer or client could have the same name',
            'authority has to be the issuer in the discovery document, but for one slash at the end, iss one of the two, and assertions need exp: others are rejected',
            'its trusted issuers vouch for every subject: add requiredClaims if some only may have tokens',
          ]
        : []),
      ...(secretFile
        ? ['its secretFile is left out: with an assertion method a client secret is not accepted']
        : []),
    ],
  };
};

/** Values of claims as JSON has them: an integer beyond what JSON keeps exactly is a string, and its path is added to `inexact`. */
const jsonOf = (value: unknown, path: string, inexact: string[]): unknown => {
  if (typeof value === 'bigint') {
    if (Number.isSafeInteger(Number(value))) return Number(value);
    inexact.push(path);
    return String(value);
  }
  if (Array.isArray(value)) return value.map((item, at) => jsonOf(item, `${path}[${at}]`, inexact));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [name, jsonOf(member, `${path}.${name}`, inexact)]),
  );
};

const claimsOf = ({ insertTokenClaims }: ServerClient, { isReservedClaim }: MigrationOptions) => {
  const inexact: string[] = [];
  const entries = Object.entries(insertTokenClaims ?? {}).map(([name, value]): [string, unknown] => [
    name,
    jsonOf(value, `insertTokenClaims.${name}`, inexact),
  ]);
  const refused = entries.map(([name]) => name).filter(isReservedClaim);
  const kept = entries.filter(([name]) => !isReservedClaim(name));
  return {
    claims: kept.length > 0 ? { insertTokenClaims: Object.fromEntries(kept) } : {},
    notes: [
      ...refused.map((name) => `insertTokenClaims.${name} is left out: the issuer sets that claim itself`),
      ...inexact.map((path) => `${path} becomes a string: a number of that size can not be signed exactly`),
    ],
  };
};

const list = (key: string, values: readonly string[]): object =>
  values.length > 0 ? { [key]: [...new Set(values)] } : {};

/** Translates a client of m2m-oauth-server to an OAuthClient. */
export const migrateClient = (client: ServerClient, options: MigrationOptions): MigratedClient => {
  const { namespace, taken } = options;
  const name = objectNameOf(client.id, taken);
  const access = client.jwtPrivateKey?.enabled
    ? trustedAuthentication(client)
    : secretAuthentication(client, name, namespace);
  const { claims, notes } = claimsOf(client, options);
  const accessTokenLifetime = formatDuration(client.accessTokenLifetime);
  return {
    manifest: {
      apiVersion: 'm2moauth.dev/v1alpha1',
      kind: 'OAuthClient',
      metadata: { name, namespace },
      spec: {
        ...(name === client.id ? {} : { clientID: client.id }),
        ...(client.owner ? { owner: client.owner } : {}),
        accessTokenLifetime,
        allowedGrantTypes: client.allowedGrantTypes.filter((grant) => grant === 'client_credentials'),
        ...list('allowedAudiences', client.allowedAudiences),
        ...list('allowedScopes', client.allowedScopes),
        ...claims,
        authentication: access.authentication,
      },
    },
    notes: [
      ...access.notes,
      ...notes,
      ...(accessTokenLifetime === '0s'
        ? ['its tokens never expire (accessTokenLifetime 0s): check that this is intended']
        : []),
    ],
  };
};
