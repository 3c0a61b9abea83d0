import { mkdir, writeFile } from 'node:fs/promises';
import { createCertificates } from './certificates.ts';
import { buildKubeconfig } from './kubeconfig.ts';
import { NODE, nodePaths } from './node/layout.ts';
import { paths } from './parts.ts';

const hosts = ['127.0.0.1', 'localhost', 'kubernetes.default.svc', '10.96.0.1', NODE.address];

/** Makes fresh certificates, keys and kubeconfigs for a cluster at `server`, readable by their owner alone. */
export async function writeCredentials(dir: string, server: string): Promise<void> {
  const { ca, serving, admin, controllerManager, node, serviceAccountKey } = await createCertificates(hosts);
  const kubeconfig = (client: typeof admin, user: string) => buildKubeconfig({ server, ca, client }, user);
  const file = paths(dir);
  const ofNode = nodePaths(dir);
  const contents: readonly (readonly [string, string])[] = [
    [file.ca, ca],
    [file.servingCertificate, serving.certificate],
    [file.servingKey, serving.key],
    [file.serviceAccountKey, serviceAccountKey],
    [file.kubeconfig, kubeconfig(admin, 'admin')],
    [file.controllerManagerKubeconfig, kubeconfig(controllerManager, 'controller-manager')],
    [ofNode.kubeconfig('kubelet'), kubeconfig(node.kubelet, 'kubelet')],
    [ofNode.kubeconfig('scheduler'), kubeconfig(node.scheduler, 'scheduler')],
    [ofNode.kubeconfig('proxy'), kubeconfig(node.proxy, 'proxy')],
    [ofNode.kubeletClient.certificate, admin.certificate],
    [ofNode.kubeletClient.key, admin.key],
  ];
  await mkdir(ofNode.node, { recursive: true, mode: 0o700 });
  await Promise.all(contents.map(([path, text]) => writeFile(path, text, { mode: 0o600 })));
}
