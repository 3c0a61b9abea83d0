import { parseArgs } from 'node:util';

/** What the command line asks for. */
export type Command =
  | { readonly kind: 'run'; readonly configPath: string }
  | { readonly kind: 'migrate'; readonly from: string; readonly namespace: string }
  | { readonly kind: 'help' }
  | { readonly kind: 'version' }
  | { readonly kind: 'misuse'; readonly message: string };

export const USAGE = `usage: node dist/main.js --config FILE
       node dist/main.js migrate FILE [--namespace NAMESPACE]

  --config FILE   the YAML configuration (docs/configuration.md)
  migrate FILE    print OAuthClients for the clients of plgd's m2m-oauth-server, whose configuration FILE is
                  (docs/migrate.md), in NAMESPACE (m2m-oauth-system); - reads standard input
  --version       print the version
  --help          print this

Outside a Pod the API server is found by KUBECONFIG. SIGTERM and SIGINT drain and end with 0.
`;

const migration = (from: string | undefined, namespace = 'm2m-oauth-system'): Command =>
  from ? { kind: 'migrate', from, namespace } : { kind: 'misuse', message: 'migrate needs a file' };

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
      return { kind: 'misuse', message: `what does ${positionals.join(' ')} mean here?` };
    if (values.namespace !== undefined) return { kind: 'misuse', message: '--namespace is for migrate' };
    if (!values.config) return { kind: 'misuse', message: '--config needs a file' };
    return { kind: 'run', configPath: values.config };
  } catch (error) {
    return { kind: 'misuse', message: (error as Error).message };
  }
};
