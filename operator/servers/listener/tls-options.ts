import type { SecureContextOptions, TlsOptions } from 'node:tls';
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

/** What TLS asks of a connection, beside the certificates. */
export interface HandshakeOptions {
  readonly clientCertificateRequired: boolean;
  /** The one protocol that ALPN agrees on (RFC 7301). */
  readonly protocol: 'h2' | 'http/1.1';
  /** From the ClientHello to an agreed key; 10 s unless given. */
  readonly handshakeMs?: number | undefined;
}

/** The longest TLS handshake, from its beginning; its ClientHello has as long to arrive. */
export const HANDSHAKE_MS = 10_000;

/** What a TLS server is made with. */
export const tlsOptionsOf = (
  context: SecureContextOptions,
  { clientCertificateRequired, protocol, handshakeMs = HANDSHAKE_MS }: HandshakeOptions,
): TlsOptions => ({
  ...context,
  requestCert: clientCertificateRequired,
  rejectUnauthorized: clientCertificateRequired,
  ALPNProtocols: [protocol],
  handshakeTimeout: handshakeMs,
});
