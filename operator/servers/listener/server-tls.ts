import type { CertificateFiles } from './certificates.ts';

/** Certificate files, and what is asked of clients; no `certFile` is plain text (spec §6). */
export interface ServerTls extends CertificateFiles {
  readonly clientCertificateRequired: boolean;
}

/** How a server's connections are protected, in a word for the log. */
export const protectionOf = ({
  certFile,
  clientCertificateRequired,
}: ServerTls): 'plaintext' | 'mutual' | 'server' => {
  if (certFile === '') return 'plaintext';
  return clientCertificateRequired ? 'mutual' : 'server';
};
