import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { readKubeconfig } from '../../cluster/kubeconfig.ts';
import { type BenchEnv, SYSTEM } from '../lib/bench-env.ts';

/** What the bare process reads from stdin. */
export interface BareListing {
  readonly server: string;
  readonly tls: { readonly ca: string; readonly cert: string; readonly key: string };
  readonly collections: readonly { readonly path: string; readonly accept: string }[];
}

const WHOLE = 'application/json';
const METADATA = 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json';
const OURS = 'labelSelector=app.kubernetes.io%2Fmanaged-by%3Dm2m-oauth-operator';
const GROUP = '/apis/m2moauth.dev/v1alpha1';

/** What the operator's caches list when it watches every namespace. */
const COLLECTIONS: BareListing['collections'] = [
  { path: `${GROUP}/tokens`, accept: WHOLE },
  { path: `${GROUP}/issuedtokens`, accept: WHOLE },
  { path: `${GROUP}/tokenbatches`, accept: WHOLE },
  { path: `${GROUP}/oauthclients`, accept: WHOLE },
  { path: `${GROUP}/namespaces/${SYSTEM}/signingkeys`, accept: WHOLE },
  { path: `/api/v1/secrets?${OURS}`, accept: METADATA },
  { path: `/api/v1/namespaces/${SYSTEM}/configmaps?${OURS}`, accept: WHOLE },
  { path: '/api/v1/namespaces', accept: METADATA },
];

/** Without types, which Node takes out of a file at its start: that would make the limit slower than it is. */
const PROGRAM = stripTypeScriptTypes(readFileSync(join(import.meta.dirname, 'bare-list.ts'), 'utf8'));

/** Seconds from the start of a bare process until it has read and parsed all that the operator's caches list. */
export const bareListSeconds = async ({ cluster }: BenchEnv): Promise<number> => {
  const { server, ca, client } = readKubeconfig(cluster.kubeconfigPath);
  const listing: BareListing = {
    server,
    tls: { ca, cert: client.certificate, key: client.key },
    collections: COLLECTIONS,
  };
  const start = performance.now();
  const child = spawn(process.execPath, ['--input-type=module', '-e', PROGRAM], {
    cwd: import.meta.dirname,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  child.stdin.end(JSON.stringify(listing));
  const exited = once(child, 'exit');
  const [objects] = await Promise.race([
    once(createInterface({ input: child.stdout }), 'line'),
    exited.then(([code]) => {
      throw new Error(`the bare lists ended with ${code}`);
    }),
  ]);
  const seconds = (performance.now() - start) / 1000;
  await exited;
  if (!(Number(objects) > 0)) throw new Error('the bare lists are empty');
  return seconds;
};
