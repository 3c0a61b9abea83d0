import { parseArgs } from 'node:util';

/** What the command line asks for. */
export type Command =
  | { readonly kind: 'run'; readonly configPath: string }
  | { readonly kind: 'help' }
  | { readonly kind: 'version' }
  | { readonly kind: 'misuse'; readonly message: string };

export const USAGE = `usage: node dist/main.js --config FILE

  --config FILE   the YAML configuration (docs/configuration.md)
  --version       print the version
  --help          print this

Outside a Pod the API server is found by KUBECONFIG. SIGTERM and SIGINT drain and end with 0.
`;

/** Reads the command line (without node and script); never throws. */
export const parseArguments = (args: readonly string[]): Command => {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        config: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
        version: { type: 'boolean' },
      },
      strict: true,
      allowPositionals: false,
    });
    if (values.help) return { kind: 'help' };
    if (values.version) return { kind: 'version' };
    if (!values.config) return { kind: 'misuse', message: '--config needs a file' };
    return { kind: 'run', configPath: values.config };
  } catch (error) {
    return { kind: 'misuse', message: (error as Error).message };
  }
};
