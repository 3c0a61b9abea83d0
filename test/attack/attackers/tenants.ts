import { Agent } from 'undici';
import { tokenOf, tokensPath } from '../../bench/lib/bench-env.ts';
import { readKubeconfig } from '../../cluster/kubeconfig.ts';
import type { AttackContext, Attacker } from '../lib/attacker.ts';
import { TENANT, TENANT_NAMESPACE } from '../lib/target.ts';

/** The API server as a tenant uses it: its requests have the tenant's priority, not the administrator's (API Priority and Fairness). */
interface TenantApi {
  send(method: 'POST' | 'PATCH', path: string, body: object): Promise<void>;
}

const IN_FLIGHT = 8;

const connectTenant = ({ target, counter }: AttackContext): TenantApi => {
  const { server, ca, client } = readKubeconfig(target.kubeconfigPath);
  const connect = { ca, cert: client.certificate, key: client.key };
  const dispatcher = new Agent({ connect, connections: IN_FLIGHT });
  return {
    send: async (method, path, body) => {
      counter.attempted();
      const { statusCode, body: answer } = await dispatcher.request({
        origin: server,
        method,
        path,
        headers: {
          'impersonate-user': TENANT,
          'content-type': method === 'PATCH' ? 'application/merge-patch+json' : 'application/json',
        },
        body: JSON.stringify(body),
      });
      await answer.dump();
      if (statusCode < 300) counter.accepted();
      else counter.refused(`HTTP ${statusCode} of the API server`);
    },
  };
};

const PATH = tokensPath(TENANT_NAMESPACE);

/** Runs `work` for 0, 1, 2 …, some at a time, until the count is reached or the attack is over. */
const inFlight = async (
  count: number,
  signal: AbortSignal,
  work: (at: number) => Promise<void>,
): Promise<void> => {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count && !signal.aborted) {
      next += 1;
      await work(next - 1);
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, worker));
};

/** The most that the API server accepts of an object's annotations, all together. */
const ANNOTATION_BYTES = 256 * 1024 - 100;

/** Makes Tokens whose annotations are as large as the API server accepts. */
export const largeAnnotations =
  ({ tokens }: { readonly tokens: number }): Attacker =>
  async (context) => {
    const api = connectTenant(context);
    const note = 'a'.repeat(ANNOTATION_BYTES);
    await inFlight(tokens, context.signal, (at) => {
      const name = `large-${at}`;
      const token = tokenOf(name, TENANT_NAMESPACE);
      return api.send('POST', PATH, {
        ...token,
        metadata: { name, namespace: TENANT_NAMESPACE, annotations: { 'example.com/note': note } },
      });
    });
  };

/** Makes Tokens and requests a new JWT of each, by its annotation, over and over. */
export const renewals =
  ({ tokens }: { readonly tokens: number }): Attacker =>
  async (context) => {
    const api = connectTenant(context);
    const names = Array.from({ length: tokens }, (_, at) => `renewed-${at}`);
    await inFlight(tokens, context.signal, (at) =>
      api.send('POST', PATH, tokenOf(names[at] ?? '', TENANT_NAMESPACE)),
    );
    await inFlight(Number.POSITIVE_INFINITY, context.signal, (at) =>
      api.send('PATCH', `${PATH}/${names[at % tokens]}`, {
        metadata: { annotations: { 'm2moauth.dev/renew': String(at) } },
      }),
    );
  };
