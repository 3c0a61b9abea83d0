import { createKubeClient, type KubeClient } from '../../operator/kube/client.ts';
import { Connection } from '../../operator/kube/connection.ts';
import { loadCredentialSource } from '../../operator/kube/credentials.ts';
import { systemClock } from '../../operator/ops/system-clock.ts';
import { type RecordedLog, type RecordedMetrics, recordedLog, recordedMetrics } from './quiet.ts';

/** The operator's own client as a test uses it. */
export interface TestKube {
  readonly client: KubeClient;
  readonly connection: Connection;
  readonly log: RecordedLog;
  readonly metrics: RecordedMetrics;
  close(): Promise<void>;
}

/** Connects with a kubeconfig (the shared cluster's unless given); `server` goes another way, through a proxy say. */
export const openKube = (
  options: { readonly kubeconfig?: string; readonly server?: string } = {},
): TestKube => {
  const path = options.kubeconfig ?? process.env.M2M_TEST_KUBECONFIG;
  if (!path) throw new Error('no kubeconfig: M2M_TEST_KUBECONFIG is set by test/support/global-setup.ts');
  const source = loadCredentialSource(path);
  const log = recordedLog();
  const metrics = recordedMetrics();
  const connection = new Connection(
    async () => ({ ...(await source()), ...(options.server && { server: options.server }) }),
    { clock: systemClock, log },
  );
  const client = createKubeClient({ connection, clock: systemClock, log, metrics });
  return { client, connection, log, metrics, close: () => connection.close() };
};
