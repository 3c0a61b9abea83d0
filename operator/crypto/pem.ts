import { createPrivateKey, type KeyObject } from 'node:crypto';

/** Far more than any key that is accepted. */
const MAX_PEM_CHARACTERS = 65_536;

/** What a PEM text held: a private key, or in words what it is instead. Nothing of the text is in the words. */
export type PemReading = { readonly privateKey: KeyObject } | { readonly problem: string };

const BEGIN = /-----BEGIN ([A-Z0-9 ]+)-----/gu;
const PRIVATE_LABELS = new Set(['PRIVATE KEY', 'EC PRIVATE KEY', 'RSA PRIVATE KEY']);

/** What is provided in place of a private key, by its label, and what to do. */
const OTHER_LABELS: Readonly<Record<string, string>> = {
  'OPENSSH PRIVATE KEY':
    'it holds a private key in the format of OpenSSH: convert it by ssh-keygen -p -m PKCS8 -f FILE',
  CERTIFICATE: 'it holds a certificate and no private key, which cert-manager stores under tls.key',
  'PUBLIC KEY': 'it holds a public key and no private key',
};

/** A text that is no PEM, by what it looks like. */
const describeNoPem = (text: string): string => {
  // Base64 of `-----BEGIN`, as it stands in `data` of a Secret.
  if (text.startsWith('LS0tLS1CRUdJTi'))
    return 'it is a PEM text in base64: it was encoded twice, decode it once';
  if (text.startsWith('{')) return 'it is no PEM text, but JSON, such as a JWK: convert it to PEM';
  if (/^[A-Za-z0-9+/=\s]{64,}$/u.test(text))
    return 'it is no PEM text, but base64 without lines -----BEGIN … and -----END …: add them';
  if (text.includes('\uFFFD')) return 'it is no PEM text, but binary, such as DER: convert it to PEM';
  return 'it is no PEM text';
};

const findProblem = (pem: string, labels: readonly string[]): string | undefined => {
  const text = pem.trim();
  if (text === '') return 'it is empty';
  if (pem.length > MAX_PEM_CHARACTERS) return `it has more than ${MAX_PEM_CHARACTERS} characters`;
  if (labels.length === 0) return describeNoPem(text);
  // RFC 1421 §4.6.1.1 in traditional files, RFC 5958 §3 in PKCS#8.
  if (labels.includes('ENCRYPTED PRIVATE KEY') || /^\s*Proc-Type: 4,ENCRYPTED/mu.test(pem)) {
    return 'the private key is encrypted: store it decrypted';
  }
  const keys = labels.filter((label) => PRIVATE_LABELS.has(label));
  if (keys.length > 1) return 'it holds more than one private key';
  if (keys.length === 1) return undefined;
  const other = labels.find((label) => Object.hasOwn(OTHER_LABELS, label));
  return (other && OTHER_LABELS[other]) ?? 'it holds no private key in PKCS#8, SEC 1 or PKCS#1';
};

/** Ways in which a PEM text is damaged on its way into a Secret, the likeliest first, and what to do. */
const DAMAGES: readonly (readonly [isDamaged: (pem: string) => boolean, problem: string])[] = [
  [
    (pem) => /\\[nr]/u.test(pem),
    'the private key has the characters \\n in place of line breaks, as in a quoted variable: store it with line breaks (--from-file)',
  ],
  [
    (pem) => !/-----END [A-Z0-9 ]+-----/u.test(pem),
    'the private key has no line -----END …: its end is missing',
  ],
  [
    (pem) => /^[ \t]+\S/mu.test(pem),
    'the private key is indented: remove the white space at the beginning of its lines (in YAML, use the block scalar |)',
  ],
  [
    (pem) => !/-----BEGIN [A-Z0-9 ]+-----[ \t]*[\r\n]/u.test(pem),
    'the private key is on one line: its line breaks are missing (in YAML, use the block scalar | rather than >)',
  ],
  [
    (pem) => /[^\r\n]-----BEGIN /u.test(pem),
    'the private key has characters before its line -----BEGIN …, such as a quotation mark: remove them',
  ],
];

/** Why a PEM text with one private key can't be read. */
const describeDamage = (pem: string): string =>
  DAMAGES.find(([isDamaged]) => isDamaged(pem))?.[1] ?? 'the private key in it can not be read';

/**
 * Reads the one private key of a PEM text: PKCS#8 (RFC 5958), SEC 1 (RFC 5915, `EC PARAMETERS` may stand before it) or PKCS#1 (RFC 8017
 * A.1.2). Lines that are indented and a text that is damaged otherwise are not repaired: what else reads the Secret would not do so either.
 */
export const readPrivatePem = (pem: string): PemReading => {
  const labels = [...pem.slice(0, MAX_PEM_CHARACTERS).matchAll(BEGIN)].map((match) => match[1] ?? '');
  const problem = findProblem(pem, labels);
  if (problem !== undefined) return { problem };
  try {
    return { privateKey: createPrivateKey({ key: pem, format: 'pem' }) };
  } catch {
    // OpenSSL's own words are dropped: they may quote what they could not read.
    return { problem: describeDamage(pem) };
  }
};
