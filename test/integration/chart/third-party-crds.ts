import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { projectCache } from '../../cluster/binaries.ts';
import { digestOf, formatVersion, pinnedIn } from '../../cluster/versions.ts';
import { readObjects } from '../../support/apply.ts';

/** The CRDs of kinds that the chart makes for others, out of the Go modules that publish them. */

const PINS = join(import.meta.dirname, 'foreign');

const FILES: Readonly<Record<string, readonly string[]>> = {
  'github.com/prometheus-operator/prometheus-operator': [
    'example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml',
    'example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml',
  ],
  'github.com/cert-manager/cert-manager': ['deploy/crds/cert-manager.io_certificates.yaml'],
  'sigs.k8s.io/gateway-api': [
    'config/crd/standard/gateway.networking.k8s.io_grpcroutes.yaml',
    'config/crd/standard/gateway.networking.k8s.io_httproutes.yaml',
  ],
};

const folderOf = (env: NodeJS.ProcessEnv): string =>
  join(projectCache(env), `foreign-crds-${digestOf(PINS)}`);

const isThere = async (folder: string): Promise<boolean> => {
  const objects = await readObjects([folder]).catch(() => []);
  return objects.length === Object.values(FILES).flat().length;
};

/** The folder of a module that go.mod pins. @throws Error where its content is not what go.sum says */
const download = async (module: string, env: NodeJS.ProcessEnv): Promise<string> => {
  const version = `v${formatVersion(pinnedIn(PINS, module))}`;
  const command = ['mod', 'download', '-json', `${module}@${version}`];
  const { stdout } = await promisify(execFile)('go', command, { cwd: PINS, env, timeout: 300_000 });
  return (JSON.parse(stdout) as { Dir: string }).Dir;
};

/** Why tests can't use the CRDs, or undefined where {@link ensureThirdPartyCrds} has downloaded them before. */
export const whyNoThirdPartyCrds = async (env = process.env): Promise<string | undefined> =>
  (await isThere(folderOf(env)))
    ? undefined
    : "other projects' CRDs not found; `make programs` downloads them with Go";

/**
 * A folder with the CRDs, kept in the project's cache; downloaded once, a few megabytes.
 * @throws Error where they are not kept yet and can't be had, or are not what go.sum says
 */
export const ensureThirdPartyCrds = async (env = process.env): Promise<string> => {
  const target = folderOf(env);
  if (await isThere(target)) return target;
  await mkdir(dirname(target), { recursive: true });
  const unfinished = await mkdtemp(`${target}.`);
  try {
    for (const [module, files] of Object.entries(FILES)) {
      const source = await download(module, env);
      for (const file of files) await cp(join(source, file), join(unfinished, basename(file)));
    }
    // Another process may have been quicker.
    await rename(unfinished, target).catch(async (error) => {
      if (!(await isThere(target))) throw error;
    });
    return target;
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
};
