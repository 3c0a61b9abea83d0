import { readFileSync } from 'node:fs';
import { parse, stringify } from 'yaml';
import type { KeyAndCertificate } from './certificates.ts';

/** Where an API server is and the client certificate to reach it with; certificates and keys are PEM. */
export interface Connection {
  readonly server: string;
  readonly ca: string;
  readonly client: KeyAndCertificate;
}

interface Kubeconfig {
  readonly 'current-context': string;
  readonly contexts: readonly Named<{ context: { cluster: string; user: string } }>[];
  readonly clusters: readonly Named<{ cluster: { server: string; 'certificate-authority-data': string } }>[];
  readonly users: readonly Named<{
    user: { 'client-certificate-data': string; 'client-key-data': string };
  }>[];
}
type Named<T> = T & { readonly name: string };

/** A kubeconfig (YAML) with everything embedded, so that the file works wherever it is copied. */
export function buildKubeconfig({ server, ca, client }: Connection, user: string): string {
  const cluster = 'm2m-oauth-operator';
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': cluster,
    contexts: [{ name: cluster, context: { cluster, user } }],
    clusters: [{ name: cluster, cluster: { server, 'certificate-authority-data': base64(ca) } }],
    users: [
      {
        name: user,
        user: {
          'client-certificate-data': base64(client.certificate),
          'client-key-data': base64(client.key),
        },
      },
    ],
  });
}

/**
 * The connection of a kubeconfig's current context.
 * @throws Error where it isn't one with an embedded client certificate, as `buildKubeconfig` makes them.
 */
export function parseKubeconfig(text: string): Connection {
  const config = parse(text) as Kubeconfig;
  const context = named(config.contexts, config['current-context']).context;
  const { cluster } = named(config.clusters, context.cluster);
  const { user } = named(config.users, context.user);
  return {
    server: cluster.server,
    ca: decode(cluster['certificate-authority-data'], 'certificate-authority-data'),
    client: {
      certificate: decode(user['client-certificate-data'], 'client-certificate-data'),
      key: decode(user['client-key-data'], 'client-key-data'),
    },
  };
}

/** `parseKubeconfig` of a file. */
export function readKubeconfig(path: string): Connection {
  return parseKubeconfig(readFileSync(path, 'utf8'));
}

function named<T>(entries: readonly Named<T>[] | undefined, name: string): Named<T> {
  const entry = entries?.find((candidate) => candidate.name === name);
  if (!entry) throw new Error(`kubeconfig: nothing is named ${JSON.stringify(name)}`);
  return entry;
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}

function decode(data: string | undefined, field: string): string {
  if (!data)
    throw new Error(`kubeconfig: ${field} is missing; only embedded client certificates are read here`);
  return Buffer.from(data, 'base64').toString();
}
