import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Generates operator/servers/grpc/generated from the files beside this one; `--check` fails where it is out of date. */

const ROOT = join(import.meta.dirname, '..');
const FOLDER = 'operator/servers/grpc/generated';
const BUF = join(ROOT, 'node_modules/@bufbuild/buf/bin/buf');

const buf = (...args: string[]): void => {
  execFileSync(process.execPath, [BUF, ...args], { cwd: ROOT, stdio: 'inherit' });
};

/** What reflection describes: this service, and the standard ones from their packages. The descriptors that protobufjs makes of these at run time lack dependencies and name map entries wrongly, which Go rejects. */
const DESCRIBED: readonly (readonly string[])[] = [
  ['proto'],
  ['node_modules/grpc-health-check/proto'],
  ['node_modules/@grpc/reflection/build/proto', '--path', 'node_modules/@grpc/reflection/build/proto/grpc'],
];

/** Server reflection needs the files as descriptors; a module, since tsc copies nothing else to dist/. */
const descriptorModule = (folder: string): string => {
  const file = join(folder, 'descriptors.binpb');
  const sets = DESCRIBED.map((input) => {
    buf('build', ...input, '--as-file-descriptor-set', '--output', file);
    return readFileSync(file);
  });
  rmSync(file);
  // Messages that stand one after the other are one message with the fields of all.
  const base64 = Buffer.concat(sets).toString('base64');
  const lines = base64.match(/.{1,100}/gu) ?? [];
  return [
    '// Generated from proto/ by `npm run generate`. DO NOT EDIT.',
    '',
    '/** FileDescriptorSet of proto/ and of the standard services, base64. */',
    'export const DESCRIPTORS: string = [',
    ...lines.map((line) => `  '${line}',`),
    "].join('');",
    '',
  ].join('\n');
};

const generateInto = (folder: string): void => {
  buf('generate', 'proto', '--template', 'proto/buf.gen.yaml', '--output', folder);
  const target = join(folder, FOLDER);
  writeFileSync(join(target, 'descriptors.ts'), descriptorModule(target));
};

const filesOf = (folder: string): Map<string, string> =>
  new Map(
    readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => [name, readFileSync(join(folder, name), 'utf8')]),
  );

const check = (): void => {
  const folder = mkdtempSync(join(tmpdir(), 'm2m-proto-'));
  try {
    generateInto(folder);
    const [wanted, found] = [filesOf(join(folder, FOLDER)), filesOf(join(ROOT, FOLDER))];
    const stale = [...new Set([...wanted.keys(), ...found.keys()])].filter(
      (name) => wanted.get(name) !== found.get(name),
    );
    for (const name of stale) process.stderr.write(`${FOLDER}/${name} is out of date: npm run generate\n`);
    process.exitCode = stale.length > 0 ? 1 : 0;
  } finally {
    rmSync(folder, { recursive: true });
  }
};

if (process.argv.includes('--check')) check();
else generateInto(ROOT);
