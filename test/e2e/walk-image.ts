import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BUILDAH_ENV } from '../cluster/node/images.ts';
import { outputOf } from '../support/command.ts';
import { ensureBaseImages } from './support/base-images.ts';
import { type ClusterEnv, ROOT } from './support/cluster-env.ts';
import { expect, IMAGE } from './support/ground.ts';
import type { Walk } from './support/steps.ts';
import { pages } from './walk-pages.ts';

const AGAIN = 'localhost/built-again:0.1.0';
/** What a build reads. */
const SOURCES = [
  'Dockerfile',
  '.dockerignore',
  'Makefile',
  'LICENSE',
  'operator',
  'package.json',
  'package-lock.json',
  '.npmrc',
  'tsconfig.json',
  'tsconfig.build.json',
];

const CONFIGURATION = `
oauthSigner:
  clients:
    - id: nightly
      secretFile: /secrets/nightly
      owner: nightly
      allowedGrantTypes: [client_credentials]
`;

/** Does something in a folder that goes afterwards. */
const inFolder = async <T>(act: (folder: string) => Promise<T>): Promise<T> => {
  const folder = await mkdtemp(join(tmpdir(), 'm2m-walk-'));
  try {
    return await act(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
};

interface Built {
  /** Of the manifest: every byte of every layer, and of the configuration. */
  readonly digest: string;
  readonly megabytes: readonly number[];
}

const inspect = async (image: string): Promise<Built> => {
  const answer = await outputOf('buildah', ['inspect', '--type', 'image', image], { env: BUILDAH_ENV });
  const { FromImageDigest, Manifest } = JSON.parse(answer) as { FromImageDigest: string; Manifest: string };
  const { layers } = JSON.parse(Manifest) as { layers: { size: number }[] };
  return { digest: FromImageDigest, megabytes: layers.map(({ size }) => Math.round(size / 1e6)) };
};

/** What a build leaves behind and Node never reads. */
const RESIDUE = /(^|\/)(\.npm|_cacache|_logs|\.cache|tmp)\/|\.(log|map|tsbuildinfo)$/u;

/** The files of the operator's own layer. @throws Error where there is no layer of it */
const filesIn = (image: string): Promise<string[]> =>
  inFolder(async (folder) => {
    const push = ['push', '--quiet', '--disable-compression', image, `dir:${folder}`];
    await outputOf('buildah', push, { env: BUILDAH_ENV });
    const manifest = JSON.parse(await readFile(join(folder, 'manifest.json'), 'utf8'));
    const layer = manifest.layers.at(-1).digest.replace('sha256:', '');
    const files = (await outputOf('tar', ['-tf', join(folder, layer)])).trimEnd().split('\n');
    expect(files.includes('app/dist/main.js'), `no operator among ${files.length} files`);
    return files;
  });

const PACKAGE = /^app\/(?:.*\/)?node_modules\/((?:@[^/]+\/)?[^/]+)\/package\.json$/u;

/** Packages that are in the image or in its SBOM, but not in both. Packages of types are left out: the image has some of them. */
const unlisted = async (files: readonly string[]): Promise<string[]> => {
  const { components } = JSON.parse(await readFile(join(ROOT, 'build/sbom.cdx.json'), 'utf8')) as {
    components: { name: string; type: string }[];
  };
  const listed = new Set(components.filter(({ type }) => type === 'library').map(({ name }) => name));
  const present = new Set(files.map((file) => PACKAGE.exec(file)?.[1]).filter((name) => name !== undefined));
  return [...new Set([...listed, ...present])].filter(
    (name) => !name.startsWith('@types/') && !(listed.has(name) && present.has(name)),
  );
};

/** Builds the same commit again: in another folder, at another time, with other modes, and nothing kept from before. */
const buildAgain = async ({ bash }: ClusterEnv): Promise<void> => {
  const git = await outputOf('git', ['rev-parse', '--absolute-git-dir'], { cwd: ROOT }).catch(() => '');
  await inFolder(async (folder) => {
    const copy = `umask 0002; cp --recursive --no-preserve=all ${SOURCES.join(' ')} ${folder}`;
    await bash(copy);
    const commit = git && `export GIT_DIR=${git.trim()}`;
    await bash(`${commit}\nmake image IMAGE=${AGAIN} IMAGE_FLAGS=--no-cache`, folder);
  });
};

/** The image as docs/install.md has it built and pushed, the same again, and what docs/migrate.md has it print. */
export const image = async (walk: Walk, env: ClusterEnv): Promise<void> => {
  await walk.step('docs/install.md: make image, and to the node with it', async () => {
    await ensureBaseImages();
    await env.bash(await pages.makeImage());
    await env.load(IMAGE, 'registry.example.com/m2m-oauth-operator:next');
    await env.load(IMAGE, `docker.io/library/${IMAGE}`);
  });
  await walk.step('the same commit, built again elsewhere, is the same image byte for byte', async () => {
    const first = await inspect(IMAGE);
    await buildAgain(env);
    const { digest } = await inspect(AGAIN);
    await outputOf('buildah', ['rmi', AGAIN], { env: BUILDAH_ENV });
    walk.note(`${first.digest}; layers of ${first.megabytes.join(' + ')} MB`);
    expect(digest === first.digest, `${digest} is another image than ${first.digest}`);
  });
  await walk.step('nothing of the build is left in it', async () => {
    const residue = (await filesIn(IMAGE)).filter((file) => RESIDUE.test(file));
    expect(residue.length === 0, `there is ${residue.slice(0, 5).join(', ')}`);
  });
  await walk.step('the SBOM lists the packages that are in it', async () => {
    const different = await unlisted(await filesIn(IMAGE));
    expect(different.length === 0, `SBOM and image differ in ${different.slice(0, 5).join(', ')}`);
  });
  await walk.step('docs/migrate.md: the image prints OAuthClients', async () => {
    const printed = await inFolder(async (folder) => {
      await writeFile(join(folder, 'config.yaml'), CONFIGURATION);
      await env.bash(await pages.migrate(), folder);
      return readFile(join(folder, 'clients.yaml'), 'utf8');
    });
    expect(/^kind: OAuthClient$/mu.test(printed), `it printed ${printed}`);
  });
};
