import { parseArgs } from 'node:util';

/** A parsed command line; `message` says what is wrong with it. */
export type Command =
  | { readonly kind: 'run'; readonly configPath: string }
  | { readonly kind: 'migrate'; readonly from: string; readonly namespace: string }
  | { readonly kind: 'help' }
  | { readonly kind: 'version' }
  | { readonly kind: 'misuse'; readonly message: string };

export const USAGE = `usage: node dist/main.js --config FILE
       node dist/main.js migrate FILE [--namespace NAMESPACE]

  --config FILE         run the operator with this YAML configuration (docs/configuration.md)
  migrate FILE          print an OAuthClient for each client in FILE, a configuration of plgd's m2m-oauth-server
                        (docs/migrate.md); FILE - reads standard input
  --namespace NAMESPACE namespace of the OAuthClients (default: m2m-oauth-system)
  --version             print the version
  --help                print this help

Outside a Pod, KUBECONFIG says how to reach the API server. SIGTERM and SIGINT drain and exit with 0.
`;

const migration = (from: string | undefined, namespace = 'm2m-oauth-system'): Command =>
  from ? { kind: 'migrate', from, namespace } : { kind: 'misuse', message: 'migrate: FILE is missing' };

/** Reads the command line (without node and script); never throws. */
export const parseArguments = (args: readonly string[]): Command => {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      options: {
        config: { type: 'string' },
        namespace: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
        version: { type: 'boolean' },
      },
      strict: true,
      allowPositionals: true,
    });
    if (values.help) return { kind: 'help' };
    if (values.version) return { kind: 'version' };
    const [word, from, ...rest] = positionals;
    if (word === 'migrate' && rest.length === 0 && !values.config) return migration(from, values.namespace);
    if (word !== undefined)
      return { kind: 'misuse', message: `unexpected arguments: ${positionals.join(' ')}` };
    if (values.namespace !== undefined)
      return { kind: 'misuse', message: '--namespace is valid with migrate only' };
    if (!values.config) return { kind: 'misuse', message: '--config: FILE is missing' };
    return { kind: 'run', configPath: values.config };
  } catch (error) {
    return { kind: 'misuse', message: (error as Error).message };
  }
};
