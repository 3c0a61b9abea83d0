import type { KubeObject } from '../../../operator/api/meta.ts';
import type { ResourceClient } from '../../../operator/ports/kube.ts';

type Verb = 'create' | 'update' | 'updateStatus' | 'delete' | 'get';

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

/** A client whose calls are written down, and fail where a fault waits for them. */
export const guardClient = <T extends KubeObject>(
  client: ResourceClient<T>,
  ledger: Ledger,
): ResourceClient<T> => {
  const { kind } = client.type;
  const run = async <R>(verb: Verb, name: string, call: () => Promise<R>): Promise<R> => {
    const at = ledger.faults.findIndex((fault) => fault.call === `${verb} ${kind}`);
    const [fault] = at >= 0 ? ledger.faults.splice(at, 1) : [];
    if (fault?.when === 'before') throw fault.error;
    const answer = await call();
    ledger.calls.push(`${verb} ${kind} ${name}`);
    if (fault) throw fault.error;
    return answer;
  };
  return {
    type: client.type,
    get: (ref, options) => run('get', ref.name, () => client.get(ref, options)),
    create: (object, options) => run('create', object.metadata.name, () => client.create(object, options)),
    update: (object, options) => run('update', object.metadata.name, () => client.update(object, options)),
    updateStatus: (object, options) =>
      run('updateStatus', object.metadata.name, () => client.updateStatus(object, options)),
    delete: (ref, conditions, options) =>
      run('delete', ref.name, () => client.delete(ref, conditions, options)),
  };
};
