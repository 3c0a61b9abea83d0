import { createKubeClient, type KubeRequest } from '../../operator/kube/client.ts';
import { Connection } from '../../operator/kube/connection.ts';
import { loadCredentialSource } from '../../operator/kube/credentials.ts';
import { systemClock } from '../../operator/ops/system-clock.ts';
import type { ApiError } from '../../operator/ports/kube.ts';
import { recordedLog, recordedMetrics } from './quiet.ts';

/** What the API server answers: `ok`, or the status and the message of its rejection. */
interface ImpersonatedAnswer {
  readonly status: 'ok' | number;
  readonly message: string;
}

/** Sends one request to the API server of M2M_TEST_KUBECONFIG as another user, whose permissions alone count. */
export const requestAs = async (user: string, request: KubeRequest): Promise<ImpersonatedAnswer> => {
  const [log, metrics, clock] = [recordedLog(), recordedMetrics(), systemClock];
  const source = loadCredentialSource(process.env.M2M_TEST_KUBECONFIG);
  const impersonating = async () => ({ ...(await source()), headers: { 'impersonate-user': user } });
  const connection = new Connection(impersonating, { clock, log });
  const client = createKubeClient({ connection, clock, log, metrics });
  try {
    await client.request(request);
    return { status: 'ok', message: '' };
  } catch (error) {
    const { status, message } = error as ApiError;
    return { status, message };
  } finally {
    await connection.close();
  }
};
