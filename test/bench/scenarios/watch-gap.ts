import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildKubeconfig, readKubeconfig } from '../../cluster/kubeconfig.ts';
import { eventually } from '../../support/eventually.ts';
import { connectGrpc } from '../../support/grpc.ts';
import type { OperatorProcess } from '../../support/operator-process.ts';
import { startTcpProxy, type TcpProxy } from '../../support/tcp-proxy.ts';
import { type BenchEnv, isReady, tokenOf, tokensPath } from '../lib/bench-env.ts';
import { TOKEN_BATCHES, writeBatchedRecords } from '../lib/records.ts';
import { type Block, METERED, scrapesOf } from '../lib/scrapes.ts';
import { createToken } from '../lib/token-calls.ts';

/** A gap in every watch, after which the API server answers 410: what changed meanwhile shows only in a new list. */

/** The result of a gap. */
export interface GapRound {
  /** From the first connection that the API server takes again until all that changed is known and done. */
  readonly seconds: number;
  /** Watches that got a 410. */
  readonly expired: number;
  /** Records that a list of the operator misses, or has in excess. */
  readonly lost: number;
  /** From the end of the gap. */
  readonly blocked: Block;
}

const HOUR_SECONDS = 3600;
const PATIENCE = { timeoutMs: 120_000, intervalMs: 50 };
/** The lease outlives the gap: this is not about another leader. */
const PATIENT_LEASE = { leaseDuration: '120s', renewDeadline: '100s' };

/** An operator behind a wire that can be cut. */
export interface Cuttable {
  readonly operator: OperatorProcess;
  readonly proxy: TcpProxy;
  stop(): Promise<void>;
}

/** Starts it. */
export const startCuttable = async (env: BenchEnv): Promise<Cuttable> => {
  const connection = readKubeconfig(env.cluster.kubeconfigPath);
  const proxy = await startTcpProxy(connection.server);
  const dir = await mkdtemp(join(tmpdir(), 'm2m-bench-'));
  const kubeconfigPath = join(dir, 'kubeconfig');
  await writeFile(kubeconfigPath, buildKubeconfig({ ...connection, server: proxy.url }, 'admin'));
  const operator = await env.operator({
    ...METERED,
    kubeconfigPath,
    config: { leaderElection: PATIENT_LEASE },
  });
  return {
    operator,
    proxy,
    stop: async () => {
      await operator.stop();
      await proxy.close();
      await rm(dir, { recursive: true });
    },
  };
};

/** Changes what the operator does not see: two batches go, one comes, a Token goes, another comes. The records that are fewer. */
const changeUnseen = async ({ server }: BenchEnv, namespace: string, write: () => Promise<void>) => {
  const { items } = await server.get(`${TOKEN_BATCHES}?limit=2`);
  let fewer = 0;
  for (const batch of items) {
    await server.remove(TOKEN_BATCHES, batch);
    fewer += batch.spec.count;
  }
  await write();
  const [token] = (await server.get(`${tokensPath(namespace)}?limit=1`)).items;
  await server.remove(tokensPath(namespace), token);
  await server.write('POST', tokensPath(namespace), tokenOf('made-in-the-gap', namespace));
  return fewer;
};

const IN_THE_GAP = 256;

/** Cuts an operator off, changes things, has the API server forget them, and lets it in again. */
export const measureGap = async (
  env: BenchEnv,
  { operator, proxy }: Cuttable,
  namespace: string,
): Promise<GapRound> => {
  const grpc = await connectGrpc(operator);
  try {
    const authorization = `Bearer ${await createToken(grpc)}`;
    const before = await grpc.countTokens(authorization);
    const batches = await operator.metric('m2moauth_cached_objects{resource="tokenbatches"}');
    proxy.refuse();
    const fewer = await changeUnseen(env, namespace, () =>
      writeBatchedRecords(env, { count: IN_THE_GAP, expiresIn: HOUR_SECONDS }),
    );
    await env.cluster.compact();
    const scrapes = scrapesOf(operator);
    await scrapes.longestBlock();
    const start = performance.now();
    proxy.accept();
    const path = `${tokensPath(namespace)}/made-in-the-gap`;
    await eventually(async () => isReady(await env.server.get(path)), PATIENCE);
    const cached = () => scrapes.sum('m2moauth_cached_objects', 'resource="tokenbatches"');
    await eventually(async () => (await cached()) === batches - 1, PATIENCE);
    await operator.ready();
    const seconds = (performance.now() - start) / 1000;
    const blocked = await scrapes.longestBlock();
    const expected = before - fewer + IN_THE_GAP;
    const lost = Math.abs((await grpc.countTokens(authorization)) - expected);
    const expired = await scrapes.sum('m2moauth_watch_restarts_total', 'why="expired"');
    return { seconds, expired, lost, blocked };
  } finally {
    grpc.close();
  }
};
