import { request } from 'undici';

/**
 * Compacts etcd at its current revision, over its JSON gateway. An API server that runs meanwhile goes on answering
 * from its watch cache for older revisions.
 * @throws Error where etcd doesn't answer 200.
 */
export async function compactEtcd(etcdUrl: string): Promise<void> {
  const { header } = await call<{ header: { revision: string } }>(`${etcdUrl}/v3/kv/range`, {
    key: Buffer.from('/').toString('base64'),
  });
  await call(`${etcdUrl}/v3/kv/compaction`, { revision: header.revision, physical: true });
}

async function call<T>(url: string, message: object): Promise<T> {
  const response = await request(url, { method: 'POST', body: JSON.stringify(message) });
  const text = await response.body.text();
  if (response.statusCode !== 200) throw new Error(`etcd answered ${response.statusCode} to ${url}: ${text}`);
  return JSON.parse(text) as T;
}
