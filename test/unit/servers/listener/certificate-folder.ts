import { mkdir, mkdtemp, readlink, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CertificateFiles } from '../../../../operator/servers/listener/certificates.ts';

/** The content of the files. */
export interface Content {
  readonly cert: string;
  readonly key: string;
  readonly ca?: string;
}

/** Certificate files in a temporary folder, as Kubernetes mounts a Secret: links into a folder that `..data` leads to. */
export interface CertificateFolder extends AsyncDisposable {
  readonly dir: string;
  readonly files: CertificateFiles;
  /** Changes all files at once, by moving `..data`. */
  swap(content: Content): Promise<void>;
  /** Overwrites one file in place. */
  overwrite(name: 'tls.crt' | 'tls.key' | 'ca.crt', text: string): Promise<void>;
}

const NAMES = ['tls.crt', 'tls.key', 'ca.crt'] as const;

export const makeCertificateFolder = async (content: Content): Promise<CertificateFolder> => {
  const dir = await mkdtemp(join(tmpdir(), 'm2m-tls-'));
  let generation = 0;
  const swap = async ({ cert, key, ca }: Content): Promise<void> => {
    const before = await readlink(join(dir, '..data')).catch(() => undefined);
    generation += 1;
    const target = `..generation-${generation}`;
    await mkdir(join(dir, target));
    await writeFile(join(dir, target, 'tls.crt'), cert);
    await writeFile(join(dir, target, 'tls.key'), key);
    if (ca !== undefined) await writeFile(join(dir, target, 'ca.crt'), ca);
    await symlink(target, join(dir, '..data_tmp'));
    await rename(join(dir, '..data_tmp'), join(dir, '..data'));
    if (before !== undefined) await rm(join(dir, before), { recursive: true });
  };
  await swap(content);
  for (const name of NAMES) await symlink(join('..data', name), join(dir, name));
  return {
    dir,
    files: {
      certFile: join(dir, 'tls.crt'),
      keyFile: join(dir, 'tls.key'),
      caFile: content.ca === undefined ? '' : join(dir, 'ca.crt'),
    },
    swap,
    overwrite: (name, text) => writeFile(join(dir, '..data', name), text),
    [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }),
  };
};
