import { generateKeyPairSync, randomBytes, webcrypto } from 'node:crypto';
import { createRequire } from 'node:module';
import type { Extension } from '@peculiar/x509';
import 'reflect-metadata';
import { NODE } from './node/layout.ts';

// Not imported: jest runs CommonJS modules before the ES modules that are imported above them.
const x509: typeof import('@peculiar/x509') = createRequire(import.meta.url)('@peculiar/x509');
x509.cryptoProvider.set(webcrypto);

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const lifetimeMs = 365 * 24 * 60 * 60 * 1000;
const clockSkewMs = 60 * 60 * 1000;

/** A certificate and its private key, both PEM. */
export interface KeyAndCertificate {
  readonly certificate: string;
  readonly key: string;
}

/** Everything secret that one cluster starts with. */
export interface ClusterCertificates {
  readonly ca: string;
  readonly serving: KeyAndCertificate;
  readonly admin: KeyAndCertificate;
  readonly controllerManager: KeyAndCertificate;
  /** Of the programs of a node. */
  readonly node: Readonly<Record<'kubelet' | 'scheduler' | 'proxy', KeyAndCertificate>>;
  readonly serviceAccountKey: string;
}

/**
 * A fresh CA, a serving certificate for `hosts` (names or IP addresses), client certificates for an administrator
 * (`O=system:masters`) and the controller manager, and the key that signs service account tokens. The CA's own key
 * is dropped: nothing is signed later. Valid for a year.
 */
export async function createCertificates(hosts: readonly string[]): Promise<ClusterCertificates> {
  const now = Date.now();
  const ca = await createAuthority(now);
  const addresses = hosts.map((value) => ({ type: isIpAddress(value) ? 'ip' : 'dns', value }) as const);
  const server = [
    new x509.SubjectAlternativeNameExtension(addresses),
    new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
  ];
  const client = [new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth])];
  return {
    ca: ca.certificate.toString('pem'),
    serving: await ca.issue('CN=kube-apiserver', server),
    admin: await ca.issue('CN=admin, O=system:masters', client),
    controllerManager: await ca.issue('CN=system:kube-controller-manager', client),
    node: {
      kubelet: await ca.issue(`CN=system:node:${NODE.name}, O=system:nodes`, client),
      scheduler: await ca.issue('CN=system:kube-scheduler', client),
      proxy: await ca.issue('CN=system:kube-proxy', client),
    },
    serviceAccountKey: newServiceAccountKey(),
  };
}

async function createAuthority(now: number) {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const validity = { notBefore: new Date(now - clockSkewMs), notAfter: new Date(now + lifetimeMs) };
  const serialNumber = () => randomBytes(16).toString('hex');
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: 'CN=m2m-oauth-operator test cluster',
    ...validity,
    signingAlgorithm: algorithm,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.digitalSignature, true),
    ],
  });
  const issue = async (subject: string, extensions: Extension[]): Promise<KeyAndCertificate> => {
    const pair = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
    const issued = await x509.X509CertificateGenerator.create({
      serialNumber: serialNumber(),
      subject,
      issuer: certificate.subject,
      ...validity,
      signingAlgorithm: algorithm,
      publicKey: pair.publicKey,
      signingKey: keys.privateKey,
      extensions: [new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true), ...extensions],
    });
    const key = await webcrypto.subtle.exportKey('pkcs8', pair.privateKey);
    return { certificate: issued.toString('pem'), key: x509.PemConverter.encode(key, 'PRIVATE KEY') };
  };
  return { certificate, issue };
}

function newServiceAccountKey(): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return privateKey.export({ type: 'sec1', format: 'pem' }).toString();
}

function isIpAddress(host: string): boolean {
  return /^[\d.]+$/.test(host) || host.includes(':');
}
