import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { applyObjects } from '../../support/apply.ts';
import { type CallCounts, coverageEnv, coverageReader, filesCalledBy } from '../../support/call-coverage.ts';
import { eventually } from '../../support/eventually.ts';
import { connectGrpc, type GrpcClient } from '../../support/grpc.ts';
import { basic, httpUrl, postForm } from '../../support/http.ts';
import { type Installation, install, token, waitForReason } from '../../support/installation.ts';
import type { OperatorProcess } from '../../support/operator-process.ts';
import {
  createOwnerBearer,
  createToken,
  idOf,
  makeClient,
  type TestClient,
} from '../servers/oauth-clients.ts';

/**
 * The files of operator/ that one reconcile and one request pass, as docs/architecture.md lists them: those in which a function
 * is called. A file that joins a path is named by the test that fails; `UPDATE=1` writes the page anew.
 */

const PAGE = join(import.meta.dirname, '../../../docs/architecture.md');
const RUNS = 5;

let installation: Installation;
let namespace: string;
let dir: string;
let operator: OperatorProcess;
/** A second replica, whose records reach the first by the watch alone. */
let other: GrpcClient;
let grpc: GrpcClient;
let take: () => Promise<CallCounts>;
let perToken: TestClient;
let batched: TestClient;

beforeAll(async () => {
  installation = await install();
  namespace = await installation.api.createNamespace('code-paths');
  dir = await mkdtemp(join(tmpdir(), 'm2m-code-paths-'));
  operator = await installation.operator({ env: coverageEnv(dir) });
  await operator.ready();
  await eventually(async () => (await operator.metric('m2moauth_leader')) === 1, { timeoutMs: 60_000 });
  const second = await installation.operator();
  await second.ready();
  grpc = await connectGrpc(operator);
  other = await connectGrpc(second);
  take = coverageReader(dir, operator.pid).take;
  perToken = await makeClient(installation, namespace);
  batched = await makeClient(installation, namespace, { spec: { recording: 'Batched' } });
}, 300_000);

afterAll(async () => {
  grpc?.close();
  other?.close();
  await installation?.close();
  if (dir) await rm(dir, { recursive: true, force: true });
});

/** What the operator calls while `work` is done, and nothing else that can be waited for. */
const callsOf = async (work: (run: number) => Promise<unknown>): Promise<CallCounts[]> => {
  await work(RUNS);
  const runs: CallCounts[] = [];
  for (let run = 0; run < RUNS; run += 1) {
    await settle();
    await work(run);
    runs.push(await take());
  }
  return runs;
};

/** Waits until nothing but what recurs by time is called any more. */
const settle = async (): Promise<void> => {
  await take();
  await eventually(
    async () => ![...(await take()).keys()].some((name) => /^(?:domain|reconcilers|issuer)\//u.test(name)),
    {
      timeoutMs: 20_000,
    },
  );
};

/** A record of another replica arrives by the watch: what is called then belongs to no request. */
const recordsArrive = (client: TestClient): Promise<CallCounts[]> =>
  callsOf(async () => {
    const id = idOf(await createToken(other, client));
    await eventually(async () => (await bearerSees(client, id)) === 1);
  });

/** A Secret with the operator's label that no resource owns: what is called then is how its event is dispatched to other kinds. */
const unrelatedSecretsArrive = (): Promise<CallCounts[]> =>
  callsOf(async (run) => {
    const labels = { 'app.kubernetes.io/managed-by': 'm2m-oauth-operator' };
    const secret = {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: `unrelated-${run}`, namespace, labels },
    };
    const cached = () => operator.metric('m2moauth_cached_objects{resource="secrets"}');
    const before = await cached();
    await applyObjects(installation.api, [secret], { namespace });
    await eventually(async () => (await cached()) > before);
  });

const bearers = new Map<TestClient, string>();
const bearerSees = async (client: TestClient, id: string): Promise<number> => {
  const bearer = bearers.get(client) ?? `Bearer ${await createOwnerBearer(other, client)}`;
  bearers.set(client, bearer);
  return (await other.getTokens(bearer, { idFilter: [id] })).length;
};

/** What every path shares: the wiring, logs, metrics and the clock, the recorder of Events with its limiter, the budget of bytes, which a timer measures, generated code. */
const SHARED =
  /^(?:compose(?:\.ts|\/)|ops\/|kube\/event|async\/token-bucket|servers\/listener\/byte-budget|servers\/grpc\/generated\/)/u;

/** Holds the page to what was measured. */
const expectListed = async (name: string, called: readonly string[]): Promise<void> => {
  const files = called.filter((file) => !SHARED.test(file));
  const block = new RegExp(`(<!-- path: ${name} -->\\n)[\\s\\S]*?(<!-- end -->)`, 'u');
  const page = await readFile(PAGE, 'utf8');
  if (process.env.UPDATE === '1') {
    const list = `${files.length} files:\n\n${files.map((file) => `\`${file}\``).join(', ')}`;
    await writeFile(
      PAGE,
      page.replace(block, (_, begin, end) => `${begin}${list}\n${end}`),
    );
    return;
  }
  const [text = ''] = block.exec(page) ?? [];
  expect(files.length).toBeGreaterThan(5);
  expect(files.filter((file) => !text.includes(`\`${file}\``))).toEqual([]);
};

test('a declared Token, from the watch event to its status', async () => {
  const runs = await callsOf(async (run) => {
    const object = token(`t${run}`, namespace);
    await applyObjects(installation.api, [object], { namespace });
    await waitForReason(installation.api, object, 'Issued');
  });
  await expectListed('declared', filesCalledBy(runs, await unrelatedSecretsArrive()));
}, 120_000);

test.each([
  ['create-token', () => perToken],
  ['create-token-batched', () => batched],
] as const)(
  'CreateToken: %s',
  async (name, clientOf) => {
    const others = await recordsArrive(clientOf());
    const runs = await callsOf(() => createToken(grpc, clientOf()));
    await expectListed(name, filesCalledBy(runs, others));
  },
  120_000,
);

test('the verifier’s GET and introspection', async () => {
  const url = await httpUrl(operator);
  const jwt = await createToken(grpc, perToken);
  const lookUp = async () => {
    const query = `idFilter=${idOf(jwt)}&includeBlacklisted=true`;
    const answer = await fetch(`${url}/api/v1/tokens?${query}`, {
      headers: { authorization: `Bearer ${jwt}` },
    });
    expect(await answer.text()).toContain(idOf(jwt));
  };
  await expectListed('verifier', filesCalledBy(await callsOf(lookUp)));
  const introspect = async () => {
    const authorization = basic(perToken.id, perToken.secret);
    const answer = await postForm(`${url}/oauth/introspect`, { token: jwt }, { authorization });
    expect(await answer.json()).toMatchObject({ active: true });
  };
  await expectListed('introspection', filesCalledBy(await callsOf(introspect)));
}, 120_000);
