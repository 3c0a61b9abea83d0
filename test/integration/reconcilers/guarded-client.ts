import type { KubeClient, KubeRequest } from '../../../operator/kube/client.ts';
import {
  CONFIG_MAPS,
  OAUTH_CLIENTS,
  SECRETS,
  SIGNING_KEYS,
  TOKENS,
} from '../../../operator/kube/resource-client.ts';

const TYPES = [TOKENS, OAUTH_CLIENTS, SIGNING_KEYS, SECRETS, CONFIG_MAPS];

/** A fault of one call: thrown in its place, or after the API server has done it. */
export interface Fault {
  /** `<verb> <kind>` */
  readonly call: string;
  readonly when: 'before' | 'after';
  readonly error: Error;
}

/** What went through, and what is to fail; `calls` has `<verb> <kind> <name>` of every call that the API server has done. */
export interface Ledger {
  readonly calls: string[];
  readonly faults: Fault[];
}

/** `<verb> <kind>` of a request, and the name of its object. */
const callOf = ({ verb, path, body }: KubeRequest): { call: string; name: string } => {
  const [plural, name, subresource] = path.split('/namespaces/')[1]?.split('/').slice(1) ?? [];
  const kind = TYPES.find((type) => type.plural === plural)?.kind;
  if (kind === undefined) throw new Error(`no reconciler calls ${path}`);
  const { metadata } = (body ?? {}) as { metadata?: { name: string } };
  return {
    call: `${subresource === 'status' ? 'updateStatus' : verb} ${kind}`,
    name: name ?? metadata?.name ?? '',
  };
};

/** A client that records its calls, and fails those for which there is a fault; lists go through unrecorded. */
export const guardClient = (client: KubeClient, { calls, faults }: Ledger): KubeClient => ({
  ...client,
  request: async <T>(request: KubeRequest): Promise<T> => {
    if (request.verb === 'list') return client.request<T>(request);
    const { call, name } = callOf(request);
    const at = faults.findIndex((fault) => fault.call === call);
    const [fault] = at >= 0 ? faults.splice(at, 1) : [];
    if (fault?.when === 'before') throw fault.error;
    const answer = await client.request<T>(request);
    calls.push(`${call} ${name}`);
    if (fault) throw fault.error;
    return answer;
  },
});
