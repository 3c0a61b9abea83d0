import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { BUILDAH_ENV } from '../../cluster/node/images.ts';
import { outputOf, run } from '../../support/command.ts';

/**
 * Local images under the names that the Dockerfile's FROM lines give, made from this machine's own files: the
 * Dockerfile is built for real where no registry can be reached.
 */
const ROOT = join(import.meta.dirname, '../../..');
const NODE = join(ROOT, 'node_modules/node/bin/node');

const BUILD_IMAGE = 'docker.io/library/node:24.21.0-bookworm-slim';
const RUNTIME_IMAGE = 'gcr.io/distroless/nodejs24-debian12:nonroot';

const buildah = (...args: string[]) => outputOf('buildah', args, { env: BUILDAH_ENV });

const exists = async (image: string): Promise<boolean> =>
  (await run('buildah', ['inspect', '--type', 'image', image], { env: BUILDAH_ENV })).exitCode === 0;

/** A file and the libraries that its dynamic linker would load, each at its own place below `root`. */
const copyProgram = async (program: string, target: string, root: string): Promise<void> => {
  const { stdout } = await run('ldd', [program]);
  const libraries = stdout.match(/\/\S+(?= \(0x)/gu) ?? [];
  for (const file of libraries) await cp(file, join(root, file), { recursive: true, dereference: true });
  await mkdir(dirname(join(root, target)), { recursive: true });
  await cp(program, join(root, target), { dereference: true });
};

const writeBasics = async (root: string): Promise<void> => {
  for (const dir of ['etc/ssl/certs', 'tmp', 'usr/bin', 'bin', 'root']) {
    await mkdir(join(root, dir), { recursive: true });
  }
  await cp('/etc/ssl/certs/ca-certificates.crt', join(root, 'etc/ssl/certs/ca-certificates.crt'));
  await writeFile(
    join(root, 'etc/passwd'),
    'root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n',
  );
};

const commit = async (root: string, image: string, config: readonly string[]): Promise<void> => {
  const container = (await buildah('from', 'scratch')).trim();
  try {
    await buildah('copy', container, root, '/');
    await buildah('config', '--label', 'm2moauth.dev/stand-in=true', ...config, container);
    await buildah('commit', container, image);
  } finally {
    await buildah('rm', container);
  }
};

/** As distroless has it: node, its libraries, certificates, an account, and nothing to run a command with. */
const makeRuntimeImage = async (root: string): Promise<void> => {
  await writeBasics(root);
  await copyProgram(NODE, '/nodejs/bin/node', root);
  await commit(root, RUNTIME_IMAGE, ['--user', '65532', '--workingdir', '/home/nonroot']);
};

/** Node, npm and a shell. */
const makeBuildImage = async (root: string): Promise<void> => {
  await writeBasics(root);
  await copyProgram(NODE, '/usr/bin/node', root);
  await copyProgram('/bin/busybox', '/bin/busybox', root);
  const applets = (await outputOf('/bin/busybox', ['--list'])).trim().split('\n');
  for (const applet of applets)
    await symlink('/bin/busybox', join(root, 'bin', applet)).catch(() => undefined);
  await symlink('/bin/env', join(root, 'usr/bin/env')).catch(() => undefined);
  const npm = dirname(dirname(await outputOf('readlink', ['-f', (await outputOf('which', ['npm'])).trim()])));
  await cp(npm, join(root, 'usr/lib/node_modules/npm'), { recursive: true });
  await symlink('/usr/lib/node_modules/npm/bin/npm-cli.js', join(root, 'usr/bin/npm'));
  const ca = '/etc/ssl/certs/ca-certificates.crt';
  await commit(root, BUILD_IMAGE, ['--env', 'PATH=/usr/bin:/bin', '--env', `NODE_EXTRA_CA_CERTS=${ca}`]);
};

const makeIfMissing = async (image: string, make: (root: string) => Promise<void>): Promise<void> => {
  if (await exists(image)) return;
  const root = await mkdtemp(join(tmpdir(), 'm2m-base-image-'));
  try {
    await make(root);
  } finally {
    await rm(root, { recursive: true, force: true });
  }
};

/** Makes those that buildah has not got yet; a real one that is there is used. */
export const ensureBaseImages = async (): Promise<void> => {
  await makeIfMissing(RUNTIME_IMAGE, makeRuntimeImage);
  await makeIfMissing(BUILD_IMAGE, makeBuildImage);
};
