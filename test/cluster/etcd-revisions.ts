import { request } from 'undici';

/** The revision of etcd's store, over its JSON gateway. @throws Error where etcd doesn't answer 200. */
export async function revisionOf(etcdUrl: string): Promise<bigint> {
  const { header } = await call<{ header: { revision: string } }>(`${etcdUrl}/v3/kv/range`, {
    key: encode('/'),
  });
  return BigInt(header.revision);
}

/**
 * Compacts etcd at its current revision. An API server that runs meanwhile goes on answering from its watch cache for older
 * revisions.
 * @throws Error where etcd doesn't answer 200.
 */
export async function compactEtcd(etcdUrl: string): Promise<void> {
  const revision = await revisionOf(etcdUrl);
  await call(`${etcdUrl}/v3/kv/compaction`, { revision: String(revision), physical: true });
}

/** Writes in flight at a time. */
const WRITERS = 16;

/** Raises the revision to `revision` at least, by writes to a key that no API server reads. @throws Error where etcd doesn't answer 200. */
export async function raiseRevision(etcdUrl: string, revision: bigint): Promise<void> {
  const write = (): Promise<unknown> =>
    call(`${etcdUrl}/v3/kv/put`, { key: encode('/raised'), value: encode('') });
  let left = Number(revision - (await revisionOf(etcdUrl)));
  const worker = async (): Promise<void> => {
    while (left-- > 0) await write();
  };
  await Promise.all(Array.from({ length: WRITERS }, worker));
}

const encode = (text: string): string => Buffer.from(text).toString('base64');

async function call<T>(url: string, message: object): Promise<T> {
  const response = await request(url, { method: 'POST', body: JSON.stringify(message) });
  const text = await response.body.text();
  if (response.statusCode !== 200) throw new Error(`etcd answered ${response.statusCode} to ${url}: ${text}`);
  return JSON.parse(text) as T;
}
