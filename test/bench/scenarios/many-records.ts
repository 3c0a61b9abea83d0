import { eventually } from '../../support/eventually.ts';
import { connectGrpc, type GrpcClient } from '../../support/grpc.ts';
import type { OperatorProcess } from '../../support/operator-process.ts';
import { BACKGROUND, writeBackgroundRecords } from '../lib/background-records.ts';
import { type BenchEnv, SYSTEM } from '../lib/bench-env.ts';
import {
  type ComparedRun,
  type Comparison,
  compare,
  comparisonFigure,
  noRuns,
  type Side,
} from '../lib/comparison.ts';
import { connectHttp, type HttpClient } from '../lib/http-client.ts';
import { timedCalls } from '../lib/latency.ts';
import { makeOwner, type Owner, RECORDINGS, type Recording } from '../lib/owner.ts';
import { ISSUED_TOKENS, TOKEN_BATCHES } from '../lib/records.ts';
import type { Figure } from '../lib/report.ts';
import { QUICK, ROUNDS } from '../lib/scale.ts';
import { REQUEST } from '../lib/token-calls.ts';
import {
  cpuSecondsOf,
  issueToken,
  requestInTurn,
  VERIFIER_REQUEST_NAMES,
  VERIFIER_REQUESTS,
} from '../lib/verifier-requests.ts';
import { IN_FLIGHT } from '../limits/api-server.ts';

/**
 * What a replica does with many records in its caches, beside one with few, on the same API server: the one sees a namespace more.
 * Both run at the same time, so that they can take turns.
 */

const FEW = QUICK ? 100 : 1000;
const MANY = QUICK ? 2000 : 100_000;
const REQUESTS = QUICK ? 1000 : 8000;
const LISTS = QUICK ? 5 : 100;
/** Reads are to be within 10 % of each other; nothing is to take more than 1.2 times as long. */
const READ_TARGET = 0.9;
const TARGET = 0.83;

/** How tokens are asked for in this scenario. */
const CREATES: Readonly<Record<Recording, { readonly calls: number; readonly inFlight: number }>> = {
  PerToken: { calls: QUICK ? 250 : 2000, inFlight: IN_FLIGHT },
  Batched: { calls: QUICK ? 500 : 8000, inFlight: 64 },
};
const BATCHED_CLIENT = 'grown-batched';
const CLIENTS: Readonly<Record<Recording, string>> = { PerToken: REQUEST.clientId, Batched: BATCHED_CLIENT };

/** One thing that both do. */
interface Grown {
  readonly scenario: string;
  readonly target: number;
  readonly runs: Comparison;
}

/** All that was measured; the limit is the replica with few records. */
export type GrownRounds = readonly Grown[];

interface Replica {
  readonly operator: OperatorProcess;
  readonly http: HttpClient;
  readonly grpc: GrpcClient;
}

const startReplica = async (env: BenchEnv, watchNamespaces: readonly string[]): Promise<Replica> => {
  const operator = await env.operator({ config: { kubernetes: { watchNamespaces } } });
  await operator.ready(120_000);
  return { operator, http: await connectHttp(operator), grpc: await connectGrpc(operator, 120_000) };
};

const stopReplica = async ({ operator, http, grpc }: Replica): Promise<void> => {
  await http.close();
  grpc.close();
  await operator.stop();
};

interface Both {
  readonly few: Replica;
  readonly many: Replica;
}

/** Something to be done with either replica. */
interface Task {
  readonly scenario: string;
  readonly target: number;
  readonly calls: number;
  readonly laps: number;
  sideOf(replica: Replica): Omit<Side, 'cpuSeconds'>;
}

/** The first lap is for both to warm up. */
const measureTask = async ({ few, many }: Both, task: Task): Promise<Grown> => {
  const { scenario, target, calls, laps } = task;
  const side = (replica: Replica): Side => ({
    ...task.sideOf(replica),
    cpuSeconds: cpuSecondsOf(replica.operator),
  });
  const compared: ComparedRun = { name: scenario, calls, limit: side(few), own: side(many) };
  const runs = noRuns();
  await compare(noRuns(), compared);
  for (let lap = 1; lap <= laps; lap += 1) await compare(runs, compared);
  return { scenario, target, runs };
};

const readTasks = (jwts: readonly string[]): Task[] =>
  VERIFIER_REQUEST_NAMES.map((name) => {
    const requests = jwts.map(VERIFIER_REQUESTS[name]);
    return {
      scenario: name,
      target: READ_TARGET,
      calls: REQUESTS,
      laps: ROUNDS * 3,
      sideOf: ({ http }) => requestInTurn(http, requests, REQUESTS),
    };
  });

const creating = (recording: Recording): Task => {
  const { calls, inFlight } = CREATES[recording];
  const request = { ...REQUEST, clientId: CLIENTS[recording] };
  return {
    scenario: `CreateToken ${recording}, ${inFlight} in flight`,
    target: TARGET,
    calls,
    laps: ROUNDS,
    sideOf: ({ grpc }) => ({
      run: () => timedCalls({ count: calls, inFlight }, () => grpc.createToken(request)),
    }),
  };
};

const listing = ({ authorization }: Owner): Task => ({
  scenario: `GetTokens of ${FEW} tokens`,
  target: TARGET,
  calls: LISTS,
  laps: ROUNDS * 2,
  sideOf: ({ grpc }) => ({
    prepare: async () => {
      await eventually(async () => (await grpc.countTokens(authorization)) === FEW);
    },
    run: () => timedCalls({ count: LISTS, inFlight: 1 }, () => grpc.countTokens(authorization)),
  }),
});

/** Each run revokes the tokens of another owner. */
const deleting = (env: BenchEnv): Task => {
  let owners = 0;
  return {
    scenario: `DeleteTokens of ${FEW} tokens in IssuedTokens`,
    target: TARGET,
    calls: 1,
    laps: ROUNDS,
    sideOf: ({ grpc }) => {
      let owner: Owner | undefined;
      return {
        prepare: async () => {
          owners += 1;
          const made = await makeOwner(env, grpc, { name: `grown-${owners}`, recording: 'PerToken' });
          await made.fill(FEW - 1);
          await eventually(async () => (await grpc.countTokens(made.authorization)) === FEW);
          owner = made;
        },
        run: () =>
          timedCalls({ count: 1, inFlight: 1 }, async () => {
            const { blacklistedCount } = await grpc.deleteTokens(owner?.authorization ?? '', []);
            if (Number(blacklistedCount) !== FEW) throw new Error(`${blacklistedCount} ended, not ${FEW}`);
          }),
      };
    },
  };
};

const measureBoth = async (env: BenchEnv, both: Both): Promise<GrownRounds> => {
  const { grpc } = both.few;
  await makeOwner(env, grpc, { name: BATCHED_CLIENT, recording: 'Batched' });
  const owner = await makeOwner(env, grpc, { name: 'grown-listed', recording: 'PerToken' });
  await owner.fill(FEW - 1);
  const tasks = [
    ...readTasks(await issueToken(grpc, FEW)),
    listing(owner),
    ...RECORDINGS.map(creating),
    deleting(env),
  ];
  const found: Grown[] = [];
  for (const task of tasks) found.push(await measureTask(both, task));
  return found;
};

/** Measures; the background records stay. */
export const measureGrown = async (env: BenchEnv): Promise<GrownRounds> => {
  await writeBackgroundRecords(env, MANY);
  const few = await startReplica(env, [SYSTEM]);
  try {
    const many = await startReplica(env, [SYSTEM, BACKGROUND]);
    try {
      return await measureBoth(env, { few, many });
    } finally {
      await stopReplica(many);
    }
  } finally {
    await stopReplica(few);
    await env.server.empty(ISSUED_TOKENS);
    await env.server.empty(TOKEN_BATCHES);
  }
};

/** What it says in the table. */
export const grownFigures = (rounds: GrownRounds): Figure[] =>
  rounds.map(({ scenario, target, runs }) =>
    comparisonFigure(runs, {
      scenario: `${scenario}, among ${MANY} IssuedTokens`,
      limit: 'a replica that does not see those',
      target,
    }),
  );
