import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import type { Algorithm } from '../../operator/api/signing-key.ts';

/** A PEM private key as users provide it. */
export interface PrivatePem {
  readonly name: string;
  readonly algorithm: Algorithm;
  readonly pem: string;
}

const ec = (namedCurve: string): KeyObject => generateKeyPairSync('ec', { namedCurve }).privateKey;
const rsa = (modulusLength: number): KeyObject => generateKeyPairSync('rsa', { modulusLength }).privateKey;
const pkcs8 = (key: KeyObject): string => key.export({ format: 'pem', type: 'pkcs8' }).toString();
const sec1 = (key: KeyObject): string => key.export({ format: 'pem', type: 'sec1' }).toString();
const pkcs1 = (key: KeyObject): string => key.export({ format: 'pem', type: 'pkcs1' }).toString();

/** What `openssl ecparam -genkey` writes before the key: the OID of P-256. */
const EC_PARAMETERS = '-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n';

/** One new key for each format and algorithm that is accepted. */
export const acceptedPems = (): PrivatePem[] => [
  { name: 'PKCS#8 on P-256', algorithm: 'ES256', pem: pkcs8(ec('P-256')) },
  { name: 'SEC 1 on P-256', algorithm: 'ES256', pem: sec1(ec('P-256')) },
  { name: 'SEC 1 after its parameters', algorithm: 'ES256', pem: EC_PARAMETERS + sec1(ec('P-256')) },
  { name: 'SEC 1 on P-384', algorithm: 'ES384', pem: sec1(ec('P-384')) },
  { name: 'PKCS#8 with Ed25519', algorithm: 'EdDSA', pem: pkcs8(generateKeyPairSync('ed25519').privateKey) },
  { name: 'PKCS#1 with RSA', algorithm: 'RS256', pem: pkcs1(rsa(2048)) },
  { name: 'PKCS#8 with RSA', algorithm: 'PS256', pem: pkcs8(rsa(2048)) },
  { name: 'lines that end with CR LF', algorithm: 'ES256', pem: pkcs8(ec('P-256')).replaceAll('\n', '\r\n') },
  { name: 'a byte order mark', algorithm: 'ES256', pem: `\uFEFF${pkcs8(ec('P-256'))}` },
  { name: 'text around the PEM', algorithm: 'ES256', pem: `made by hand\n${pkcs8(ec('P-256'))}\n\n` },
];

/** Texts that are rejected, and a word of the reason. */
export const rejectedPems = (): (PrivatePem & { readonly reason: string })[] => {
  const es256 = { algorithm: 'ES256' } as const;
  const encrypted = (key: KeyObject, type: 'pkcs8' | 'sec1') =>
    key.export({ format: 'pem', type, cipher: 'aes-256-cbc', passphrase: 'secret' } as never).toString();
  const publicHalf = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey;
  const key = pkcs8(ec('P-256'));
  const base64 = (text: string): string => Buffer.from(text).toString('base64');
  return [
    { ...es256, name: 'nothing', pem: '\n', reason: 'empty' },
    { ...es256, name: 'no PEM', pem: 'hunter2', reason: 'no PEM' },
    {
      ...es256,
      name: 'a public key',
      pem: publicHalf.export({ format: 'pem', type: 'spki' }).toString(),
      reason: 'a public key and no private key',
    },
    { ...es256, name: 'an encrypted PKCS#8', pem: encrypted(ec('P-256'), 'pkcs8'), reason: 'encrypted' },
    { ...es256, name: 'an encrypted SEC 1', pem: encrypted(ec('P-256'), 'sec1'), reason: 'encrypted' },
    { ...es256, name: 'two keys', pem: pkcs8(ec('P-256')) + pkcs8(ec('P-256')), reason: 'more than one' },
    { ...es256, name: 'another curve', pem: pkcs8(ec('P-384')), reason: 'P-384' },
    { ...es256, name: 'another type', pem: pkcs8(rsa(2048)), reason: 'RSA key of 2048 bits' },
    { algorithm: 'RS256', name: 'a short RSA key', pem: pkcs8(rsa(1024)), reason: '1024' },
    {
      ...es256,
      name: 'a broken body',
      pem: pkcs8(ec('P-256')).replace(/\n[A-Za-z]/u, '\n!'),
      reason: 'can not be read',
    },
    {
      ...es256,
      name: 'a body of zeros',
      pem: '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n',
      reason: 'can not be read',
    },
    {
      ...es256,
      name: 'a literal \\n for each line break',
      pem: key.replaceAll('\n', '\\n'),
      reason: 'characters \\n',
    },
    { ...es256, name: 'a literal \\r\\n', pem: key.replaceAll('\n', '\\r\\n'), reason: 'characters \\n' },
    { ...es256, name: 'literal \\n and quotes', pem: JSON.stringify(key), reason: 'characters \\n' },
    { ...es256, name: 'an indented key', pem: key.replaceAll(/^/gmu, '    '), reason: 'indented' },
    {
      ...es256,
      name: 'an indented SEC 1 key',
      pem: sec1(ec('P-256')).replaceAll(/^/gmu, '\t'),
      reason: 'indented',
    },
    {
      ...es256,
      name: 'a key on one line',
      pem: key.replaceAll('\n', ' '),
      reason: 'line breaks are missing',
    },
    { ...es256, name: 'a key without its end', pem: key.slice(0, 120), reason: 'end is missing' },
    { ...es256, name: 'a quoted key', pem: `"${key}"`, reason: 'quotation mark' },
    { ...es256, name: 'a key in base64 once more', pem: base64(key), reason: 'encoded twice' },
    {
      ...es256,
      name: 'a body alone',
      pem: key.replaceAll(/-----[A-Z ]+-----\n/gu, ''),
      reason: 'without lines -----BEGIN',
    },
    {
      ...es256,
      name: 'DER',
      pem: ec('P-256').export({ format: 'der', type: 'pkcs8' }).toString('utf8'),
      reason: 'DER',
    },
    {
      ...es256,
      name: 'a JWK',
      pem: JSON.stringify(ec('P-256').export({ format: 'jwk' })),
      reason: 'JWK',
    },
    {
      ...es256,
      name: 'a key of OpenSSH',
      pem: key.replaceAll('PRIVATE KEY', 'OPENSSH PRIVATE KEY'),
      reason: 'ssh-keygen',
    },
    { ...es256, name: 'a certificate', pem: key.replaceAll('PRIVATE KEY', 'CERTIFICATE'), reason: 'tls.key' },
    { ...es256, name: 'far too much text', pem: 'A'.repeat(70_000), reason: '65536' },
  ];
};
