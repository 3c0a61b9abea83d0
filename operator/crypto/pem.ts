import { createPrivateKey, type KeyObject } from 'node:crypto';

/** Far more than any key that is accepted. */
const MAX_PEM_CHARACTERS = 65_536;

/** What a PEM text held: a private key, or in words what it is instead. Nothing of the text is in the words. */
export type PemReading = { readonly privateKey: KeyObject } | { readonly problem: string };

const BEGIN = /-----BEGIN ([A-Z0-9 ]+)-----/gu;
const PRIVATE_LABELS = new Set(['PRIVATE KEY', 'EC PRIVATE KEY', 'RSA PRIVATE KEY']);

const findProblem = (pem: string, labels: readonly string[]): string | undefined => {
  if (pem.trim() === '') return 'it is empty';
  if (pem.length > MAX_PEM_CHARACTERS) return `it has more than ${MAX_PEM_CHARACTERS} characters`;
  if (labels.length === 0) return 'it is no PEM text';
  // RFC 1421 §4.6.1.1 in traditional files, RFC 5958 §3 in PKCS#8.
  if (labels.includes('ENCRYPTED PRIVATE KEY') || /^Proc-Type: 4,ENCRYPTED/mu.test(pem)) {
    return 'the private key is encrypted: store it decrypted';
  }
  const keys = labels.filter((label) => PRIVATE_LABELS.has(label));
  if (keys.length === 0) return `it holds no private key in PKCS#8, SEC 1 or PKCS#1`;
  if (keys.length > 1) return 'it holds more than one private key';
  return undefined;
};

/** Reads the one private key of a PEM text: PKCS#8 (RFC 5958), SEC 1 (RFC 5915, `EC PARAMETERS` may stand before it) or PKCS#1 (RFC 8017 A.1.2). */
export const readPrivatePem = (pem: string): PemReading => {
  const labels = [...pem.slice(0, MAX_PEM_CHARACTERS).matchAll(BEGIN)].map((match) => match[1] ?? '');
  const problem = findProblem(pem, labels);
  if (problem !== undefined) return { problem };
  try {
    return { privateKey: createPrivateKey({ key: pem, format: 'pem' }) };
  } catch {
    // OpenSSL's own words are dropped: they may quote what they could not read.
    return { problem: 'the private key in it can not be read' };
  }
};
