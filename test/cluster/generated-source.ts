import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { codeBlock } from '../clients/page.ts';
import { type BinaryName, VERIFY_PAGE } from './binary-sources.ts';
import { GO_MODULE } from './versions.ts';

const run = promisify(execFile);
const ROOT = join(import.meta.dirname, '../..');
const BUF = join(ROOT, 'node_modules/@bufbuild/buf/bin/buf');

interface Generation {
  /** An empty folder for what is generated. */
  readonly folder: string;
  readonly env: NodeJS.ProcessEnv;
  readonly signal: AbortSignal | undefined;
}

/** Files that `go build -overlay` reads in the place of others: by the place, the file that is read. */
type Overlay = Readonly<Record<string, string>>;

const GENERATORS: { readonly [name in BinaryName]?: (generation: Generation) => Promise<Overlay> } = {
  m2mclient: generateMessages,
  verifier: extractVerifier,
};

/**
 * Generates the sources of `names` that are not kept in the repository, so that none of them is ever out of date.
 * @returns the path of the file for `go build -overlay`, or undefined if nothing had to be generated.
 */
export async function generateSources(
  names: readonly BinaryName[],
  generation: Generation,
): Promise<string | undefined> {
  const overlays: Overlay[] = [];
  for (const name of names) {
    const generate = GENERATORS[name];
    if (generate) overlays.push(await generate(generation));
  }
  if (overlays.length === 0) return undefined;
  const path = join(generation.folder, 'overlay.json');
  await writeFile(path, JSON.stringify({ Replace: Object.assign({}, ...overlays) }));
  return path;
}

/** Generates Go messages and stubs from proto/, with the plugins that go.mod lists as tools. */
async function generateMessages({ folder, env, signal }: Generation): Promise<Overlay> {
  const plugins = join(folder, 'plugins');
  const options = { env, ...(signal && { signal }) };
  const packages = [
    'google.golang.org/protobuf/cmd/protoc-gen-go',
    'google.golang.org/grpc/cmd/protoc-gen-go-grpc',
  ];
  await run('go', ['build', '-trimpath', '-o', `${plugins}/`, ...packages], { ...options, cwd: GO_MODULE });
  const template = join(GO_MODULE, 'm2mclient/buf.gen.yaml');
  await run(process.execPath, [BUF, 'generate', '--template', template, '--output', folder], {
    ...options,
    cwd: ROOT,
    env: { ...env, PATH: `${plugins}${delimiter}${env.PATH}` },
  });
  const files = ['pb/service.pb.go', 'pb/service_grpc.pb.go'];
  return Object.fromEntries(files.map((file) => [join(GO_MODULE, 'm2mclient', file), join(folder, file)]));
}

async function extractVerifier({ folder }: Generation): Promise<Overlay> {
  const path = join(folder, 'verifier.go');
  await writeFile(path, codeBlock(await readFile(VERIFY_PAGE, 'utf8'), 'verify-go', 'go'));
  return { [join(GO_MODULE, 'verifier/main.go')]: path };
}
