import { join } from 'node:path';
import { stringify } from 'yaml';
import { NODE, nodePaths, PAUSE_IMAGE } from './layout.ts';
import { CNI_PLUGINS } from './machine.ts';

/** Files that a node's programs read, by path. */
export const nodeSettings = (dir: string, ca: string): Readonly<Record<string, string>> => {
  const file = nodePaths(dir);
  return {
    [file.kubeletConfig]: kubeletConfiguration(dir, ca),
    [file.containerdConfig]: containerdConfiguration(dir),
    [join(file.cni, '10-bridge.conflist')]: cniConfiguration(dir),
    [file.corefile]: corefile(dir),
  };
};

/** cgroup v1 and no limits on the node itself: containers often run in a machine that is one already. */
const kubeletConfiguration = (dir: string, ca: string): string => {
  const file = nodePaths(dir);
  return stringify({
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    address: '0.0.0.0',
    port: NODE.kubeletPort,
    readOnlyPort: 0,
    healthzPort: 0,
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: false },
      x509: { clientCAFile: ca },
    },
    authorization: { mode: 'AlwaysAllow' },
    cgroupDriver: 'cgroupfs',
    cgroupsPerQOS: false,
    enforceNodeAllocatable: [],
    failCgroupV1: false,
    failSwapOn: false,
    containerRuntimeEndpoint: `unix://${file.socket}`,
    clusterDNS: [NODE.address],
    clusterDomain: NODE.domain,
    resolvConf: '',
    evictionHard: { 'memory.available': '50Mi', 'nodefs.available': '1%', 'imagefs.available': '1%' },
    imageGCHighThresholdPercent: 100,
    // A Secret that is written anew reaches the files of a Pod within seconds.
    configMapAndSecretChangeDetectionStrategy: 'Watch',
    syncFrequency: '5s',
    serializeImagePulls: false,
    // kube-proxy's are enough, and are taken away with it.
    makeIPTablesUtilChains: false,
    podLogsDir: join(file.node, 'pod-logs'),
    staticPodPath: '',
    volumePluginDir: join(file.node, 'volume-plugins'),
  });
};

const containerdConfiguration = (dir: string): string => {
  const file = nodePaths(dir);
  return `version = 2
root = "${file.containerdRoot}"
state = "${file.containerdState}"
[grpc]
  address = "${file.socket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${PAUSE_IMAGE}"
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "${CNI_PLUGINS}"
    conf_dir = "${file.cni}"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      Root = "${join(file.node, 'runc')}"
`;
};

const cniConfiguration = (dir: string): string =>
  JSON.stringify({
    cniVersion: '0.4.0',
    name: NODE.network,
    plugins: [
      {
        type: 'bridge',
        bridge: NODE.podDevice,
        isGateway: true,
        // A Pod may reach itself through its Service.
        hairpinMode: true,
        ipam: {
          type: 'host-local',
          dataDir: join(nodePaths(dir).node, 'ipam'),
          ranges: [[{ subnet: NODE.podSubnet }]],
          routes: [{ dst: '0.0.0.0/0' }],
        },
      },
    ],
  });

const corefile = (dir: string): string => `${NODE.domain}:53 {
  bind ${NODE.address}
  errors
  kubernetes ${NODE.domain} {
    kubeconfig ${join(dir, 'kubeconfig')}
  }
}
.:53 {
  bind ${NODE.address}
  template ANY ANY {
    rcode NXDOMAIN
  }
}
`;
