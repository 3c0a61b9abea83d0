import { parseArgs } from 'node:util';

export const usage = `usage: npm run cluster -- up|down|kubeconfig [--dir DIR] [--node]
  up          start a control plane in DIR and print the path of its kubeconfig as the last line
  down        end its processes and remove DIR
  kubeconfig  print the path of its kubeconfig
  --dir DIR   folder of the cluster (default: .cluster in this repository)
  --node      add a node that runs Pods (root on Linux; the first start installs and builds its programs)`;

/** What a command line asks for; `message` is for the person who typed it. */
export type Request =
  | {
      readonly command: 'up' | 'down' | 'kubeconfig';
      readonly dir: string | undefined;
      readonly node: boolean;
    }
  | { readonly command: 'help' }
  | { readonly command: 'refuse'; readonly message: string };

/** Reads a command line (without node and script). */
export function parseCommandLine(args: readonly string[]): Request {
  const refuse = (reason: string): Request => ({ command: 'refuse', message: `${reason}\n${usage}` });
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: { dir: { type: 'string' }, node: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } },
    });
    if (values.help) return { command: 'help' };
    if (values.dir === '') return refuse('--dir needs the path of a folder');
    const [command, ...rest] = positionals;
    if (rest.length > 0) return refuse(`unexpected argument: ${rest[0]}`);
    if (command === undefined) return refuse('a command is missing');
    if (command !== 'up' && command !== 'down' && command !== 'kubeconfig') {
      return refuse(`unknown command: ${command}`);
    }
    return { command, dir: values.dir, node: values.node ?? false };
  } catch (error) {
    return refuse((error as Error).message);
  }
}
