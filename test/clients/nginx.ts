import { execFile } from 'node:child_process';
import { access, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** NGINX and its JavaScript module. */
export interface Nginx {
  readonly program: string;
  readonly jsModule: string;
}

/** Debian's packages, of whichever release this is. */
const PACKAGES = ['nginx', 'libnginx-mod-http-js'];
const CACHE = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'm2m-oauth-operator');

const nginxIn = (root: string): Nginx => ({
  program: join(root, 'usr/sbin/nginx'),
  jsModule: join(root, 'usr/lib/nginx/modules/ngx_http_js_module.so'),
});

const isComplete = async ({ program, jsModule }: Nginx): Promise<boolean> => {
  try {
    await Promise.all([access(program), access(jsModule)]);
    await run(program, ['-v']);
    return true;
  } catch {
    return false;
  }
};

/** Unpacks Debian's packages below the cache: nothing is installed, and no other user is needed. */
const unpack = async (root: string): Promise<void> => {
  await mkdir(CACHE, { recursive: true });
  const unfinished = await mkdtemp(join(CACHE, 'nginx-'));
  try {
    await run('apt-get', ['download', ...PACKAGES], { cwd: unfinished, timeout: 60_000 });
    await run('sh', ['-c', 'for package in *.deb; do dpkg-deb -x "$package" .; done'], { cwd: unfinished });
    // Another process may have been faster.
    await rename(unfinished, root).catch(() => undefined);
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
};

const CACHED = join(CACHE, 'nginx');

/** NGINX as it is installed, or as {@link ensureNginx} has unpacked it; undefined where there is neither. */
export const findNginx = async (): Promise<Nginx | undefined> => {
  for (const nginx of [nginxIn('/'), nginxIn(CACHED)]) if (await isComplete(nginx)) return nginx;
  return undefined;
};

/** Unpacks Debian's NGINX where none is found and there is an apt-get. */
export const ensureNginx = async (): Promise<void> => {
  if (!(await findNginx())) await unpack(CACHED).catch(() => undefined);
};
