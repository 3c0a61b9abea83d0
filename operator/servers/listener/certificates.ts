import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createSecureContext, type SecureContextOptions } from 'node:tls';

/** Certificate files, as the configuration names them (spec §6); '' where there is none. */
export interface CertificateFiles {
  readonly certFile: string;
  readonly keyFile: string;
  /** The authorities of client certificates. */
  readonly caFile: string;
}

/** What a TLS server proves itself with. */
export interface Certificates {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly ca: Buffer | undefined;
  /** When the first certificate of the chain stops being valid. */
  readonly notAfter: Date;
}

const MIN_VERSION = 'TLSv1.2';

/** What TLS servers are made with, and what `setSecureContext` takes: it forgets every option that is not given again. */
export const contextOptionsOf = ({ cert, key, ca }: Certificates): SecureContextOptions => ({
  cert,
  key,
  minVersion: MIN_VERSION,
  ...(ca && { ca }),
});

const BEGIN = /-----BEGIN CERTIFICATE-----/gu;
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/gu;

/** OpenSSL skips authorities that it can't read, and every client would be rejected. */
const checkAuthorities = (pem: string): void => {
  const found = pem.match(CERTIFICATE) ?? [];
  const begun = pem.match(BEGIN)?.length ?? 0;
  if (begun === 0) throw new Error('there is no certificate in the file of authorities');
  if (found.length < begun) throw new Error('a certificate in the file of authorities is cut short');
  for (const text of found) new X509Certificate(text);
};

/**
 * Reads the files, and sees to it that certificate, key and authorities can be used together.
 * @throws Error where they can't; it repeats nothing of their content
 */
export const readCertificates = async ({
  certFile,
  keyFile,
  caFile,
}: CertificateFiles): Promise<Certificates> => {
  // One after the other: what is wrong is the same each time it is looked at.
  const cert = await readFile(certFile);
  const key = await readFile(keyFile);
  const ca = caFile === '' ? undefined : await readFile(caFile);
  const certificates = { cert, key, ca, notAfter: new Date(new X509Certificate(cert).validTo) };
  if (ca) checkAuthorities(ca.toString('latin1'));
  createSecureContext(contextOptionsOf(certificates));
  return certificates;
};
