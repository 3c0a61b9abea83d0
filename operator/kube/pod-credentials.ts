import { readFile } from 'node:fs/promises';
import { isIPv6 } from 'node:net';
import { join } from 'node:path';
import type { CredentialSource } from './credentials.ts';

/** Where the kubelet puts what every pod needs that may talk to the API server. */
export const POD_FOLDER = '/var/run/secrets/kubernetes.io/serviceaccount';

/**
 * The credentials of the pod's ServiceAccount: the kubelet replaces its token before it expires, so both files are read each time.
 * Read here and not by client-node, which costs a process 40 MB and a third of a second of CPU.
 * @throws Error if the kubelet has not set the address of the API server
 */
export const podCredentialSource = (env: NodeJS.ProcessEnv, folder = POD_FOLDER): CredentialSource => {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = env;
  if (!host || !port) {
    throw new Error('KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT have to name the API server');
  }
  const server = `https://${isIPv6(host) ? `[${host}]` : host}:${port}`;
  return async () => {
    const [token, ca] = await Promise.all([
      readFile(join(folder, 'token'), 'utf8'),
      readFile(join(folder, 'ca.crt')),
    ]);
    return { server, tls: { ca }, headers: { authorization: `Bearer ${token.trim()}` } };
  };
};
