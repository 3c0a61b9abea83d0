import type { RequestOptions } from 'node:https';
import { KubeConfig } from '@kubernetes/client-node';

/** What TLS to the API server needs; PEM. */
export interface TlsMaterial {
  readonly ca?: string | Buffer;
  readonly cert?: string | Buffer;
  readonly key?: string | Buffer;
  readonly servername?: string;
  readonly rejectUnauthorized?: boolean;
}

/** Where the API server is and who we are, as of now: files (CA, client certificate, bearer token) are read again each time. */
export interface Credentials {
  readonly server: string;
  readonly tls: TlsMaterial;
  /** `authorization`, `impersonate-user`. */
  readonly headers: Readonly<Record<string, string>>;
}

/** Reads the credentials afresh. */
export type CredentialSource = () => Promise<Credentials>;

/**
 * The credentials of a kubeconfig: `path`, else `KUBECONFIG`, else `~/.kube/config`.
 * client-node reads it, so that exec and OIDC users work; a bearer token in a file is read again each minute.
 * @throws Error where there is none, it names no server, or it asks for a proxy (not supported).
 */
export const loadCredentialSource = (path?: string): CredentialSource => {
  const config = new KubeConfig();
  if (path !== undefined) config.loadFromFile(path);
  else config.loadFromDefault();
  const cluster = config.getCurrentCluster();
  if (!cluster?.server) throw new Error('the kubeconfig names no cluster for its current context');
  if (cluster.proxyUrl) throw new Error('a kubeconfig with proxy-url is not supported');
  return async () => {
    const options: RequestOptions = {};
    await config.applyToHTTPSOptions(options);
    return { server: cluster.server, tls: tlsOf(options), headers: headersOf(options) };
  };
};

const tlsOf = ({ ca, cert, key, servername, rejectUnauthorized }: RequestOptions): TlsMaterial => ({
  ...(ca !== undefined && { ca: ca as string | Buffer }),
  ...(cert !== undefined && { cert: cert as string | Buffer }),
  ...(key !== undefined && { key: key as string | Buffer }),
  ...(servername !== undefined && { servername }),
  ...(rejectUnauthorized !== undefined && { rejectUnauthorized }),
});

const headersOf = ({ headers, auth }: RequestOptions): Record<string, string> => {
  const all: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers ?? {})) {
    if (value !== undefined) all[name.toLowerCase()] = String(value).trim();
  }
  // A user name and password (RFC 7617), as client-node leaves them.
  if (auth) all.authorization = `Basic ${Buffer.from(auth).toString('base64')}`;
  return all;
};
