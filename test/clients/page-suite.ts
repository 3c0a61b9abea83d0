import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { expect, test } from '@jest/globals';
import { locateBinary } from '../cluster/binaries.ts';
import type { BinaryName } from '../cluster/binary-sources.ts';
import { createCertificates } from '../cluster/certificates.ts';
import type { Shell } from './page.ts';

/** What every suite that follows a page of documentation shares. */

/** A part of a block, by which it is known, and what the block prints, if anything. */
export type Expectation = readonly [part: string, ...prints: readonly (string | RegExp)[]];

/** Where a reader sits: a folder of files, and the programs that the page needs on PATH. */
export interface PageEnv {
  readonly dir: string;
  /** The surroundings of a shell: the programs, the cluster, and what else the page wants to have said. */
  env(more?: NodeJS.ProcessEnv): NodeJS.ProcessEnv;
  remove(): void;
}

/** Makes a {@link PageEnv}. @throws ClusterError for a program that the machine lacks */
export const preparePageEnv = async (
  programs: readonly BinaryName[],
  kubeconfigPath: () => string,
): Promise<PageEnv> => {
  const dir = mkdtempSync(join(tmpdir(), 'm2m-page-'));
  const bin = mkdtempSync(join(tmpdir(), 'm2m-page-bin-'));
  for (const name of programs) symlinkSync(await locateBinary(name), join(bin, name));
  return {
    dir,
    env: (more) => ({
      ...process.env,
      PATH: `${bin}${delimiter}${process.env.PATH}`,
      KUBECONFIG: kubeconfigPath(),
      ...more,
    }),
    remove: () => {
      for (const folder of [dir, bin]) rmSync(folder, { recursive: true });
    },
  };
};

interface Followed {
  readonly blocks: readonly string[];
  /** One for each block, in the order of the page. */
  readonly expected: readonly Expectation[];
  /** Asked for in each test: it starts in a `beforeAll`. */
  readonly shell: () => Shell;
}

/** Declares the tests that follow a page: every block as it stands, in its order, in one shell. */
export const followPage = ({ blocks, expected, shell }: Followed): void => {
  test('its blocks are those that are expected, in this order', () => {
    const places = blocks.map((block) => expected.findIndex(([part]) => block.includes(part)));
    expect(places).toEqual(expected.map((_, place) => place));
  });

  test.each(expected)(
    'the block with %s',
    async (part, ...prints) => {
      const printed = await shell().run(blocks.find((block) => block.includes(part)) ?? 'false');
      for (const text of prints) expect(printed).toMatch(text);
    },
    60_000,
  );
};

/** Writes the files that the pages' blocks on mutual TLS name, and gives a server's settings for them. */
export const writeMutualTls = async (dir: string): Promise<object> => {
  const { ca, serving, admin } = await createCertificates(['127.0.0.1']);
  const files = {
    'ca.crt': ca,
    'tls.crt': serving.certificate,
    'tls.key': serving.key,
    'client.crt': admin.certificate,
    'client.key': admin.key,
  };
  for (const [name, pem] of Object.entries(files)) writeFileSync(join(dir, name), pem, { mode: 0o600 });
  return {
    certFile: join(dir, 'tls.crt'),
    keyFile: join(dir, 'tls.key'),
    caFile: join(dir, 'ca.crt'),
    clientCertificateRequired: true,
  };
};
