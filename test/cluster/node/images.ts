import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { command } from './command.ts';
import { nodePaths, PAUSE_IMAGE } from './layout.ts';

/** How buildah works without a user namespace, an overlay file system or a daemon. */
export const BUILDAH_ENV = { BUILDAH_ISOLATION: 'chroot', STORAGE_DRIVER: 'vfs' };

const buildah = (...args: string[]): Promise<string> => command('buildah', args, BUILDAH_ENV);

/** Imports an archive of `docker save` or `buildah push … docker-archive:` into the node of the cluster in `dir`. */
const importArchive = async (dir: string, archive: string): Promise<void> => {
  const { socket } = nodePaths(dir);
  await command('ctr', ['--address', socket, '--namespace', 'k8s.io', 'images', 'import', archive]);
};

/** Takes an image from buildah's storage to the node, under `name`. */
export const importFromBuildah = async (dir: string, image: string, name: string): Promise<void> => {
  const folder = await mkdtemp(join(tmpdir(), 'm2m-image-'));
  try {
    const archive = join(folder, 'image.tar');
    await buildah('push', '--quiet', image, `docker-archive:${archive}:${name}`);
    await importArchive(dir, archive);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
};

const isBuilt = (image: string): Promise<boolean> =>
  buildah('inspect', '--type', 'image', image).then(
    () => true,
    () => false,
  );

const buildPause = async (pause: string): Promise<void> => {
  const container = (await buildah('from', 'scratch')).trim();
  try {
    await buildah('copy', '--quiet', container, pause, '/pause');
    await buildah('config', '--entrypoint', '["/pause"]', '--user', '65535:65535', container);
    await buildah('commit', '--quiet', container, PAUSE_IMAGE);
  } finally {
    await buildah('rm', container);
  }
};

/** Imports the image whose only program is `pause`; made once a machine, so that runs do not pile up images. */
export const importPause = async (dir: string, pause: string): Promise<void> => {
  if (!(await isBuilt(PAUSE_IMAGE))) await buildPause(pause);
  await importFromBuildah(dir, PAUSE_IMAGE, PAUSE_IMAGE);
};
