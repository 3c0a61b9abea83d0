import { applyObjects } from '../support/apply.ts';
import { connectGrpc } from '../support/grpc.ts';
import type { OperatorProcess } from '../support/operator-process.ts';
import { type Comparison, compare, contestFigure, noRuns } from './contest.ts';
import { batchesPath, fillBatches } from './filler.ts';
import { ISSUED_TOKENS } from './handed-out.ts';
import { connectHttp, type HttpClient } from './http-client.ts';
import { contentOf } from './owner.ts';
import { askingSide, cpuSecondsOf, handOut, QUESTION_NAMES, QUESTIONS, type Question } from './questions.ts';
import type { Figure } from './report.ts';
import { QUICK, ROUNDS } from './scale.ts';
import { CLIENT, SYSTEM, type World } from './world.ts';

/**
 * Introspection and the verifier's GET by a replica with many records in its caches, beside one with few: the same tokens are
 * asked about. Both run at the same time, so that they can take turns; the one sees a namespace more.
 */

const FEW = QUICK ? 100 : 1000;
const MANY = QUICK ? 2000 : 100_000;
const ASKS = QUICK ? 1000 : 8000;
const LAPS = ROUNDS * 3;
const TARGET = 0.9;

/** Of records that nobody asks about. */
const FILLER = 'asked-filler';
const FILLER_CLIENT = { ...CLIENT, metadata: { name: 'filler', namespace: FILLER } };

/** Runs by what was asked; the limit is the replica with few records. */
export type AskedRounds = Readonly<Record<Question, Comparison>>;

interface Replica {
  readonly operator: OperatorProcess;
  readonly client: HttpClient;
}

const startReplica = async (world: World, watchNamespaces: readonly string[]): Promise<Replica> => {
  const operator = await world.operator({ config: { kubernetes: { watchNamespaces } } });
  await operator.ready();
  return { operator, client: await connectHttp(operator) };
};

const stopReplica = async ({ operator, client }: Replica): Promise<void> => {
  await client.close();
  await operator.stop();
};

const handOutBy = async ({ operator }: Replica): Promise<string[]> => {
  const grpc = await connectGrpc(operator);
  try {
    return await handOut(grpc, FEW);
  } finally {
    grpc.close();
  }
};

const fill = async (world: World, jwt: string): Promise<void> => {
  await applyObjects(world.api, [{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: FILLER } }]);
  await applyObjects(world.api, [FILLER_CLIENT], { namespace: FILLER });
  const client = (await world.api.get(FILLER_CLIENT)).body;
  await fillBatches(world, client, { content: contentOf(jwt), count: MANY - FEW });
};

/** The first lap is for both to warm up. */
const ask = async (few: Replica, many: Replica, jwts: readonly string[]): Promise<AskedRounds> => {
  const rounds = { introspection: noRuns(), "the verifier's GET": noRuns() };
  const serverOf = ({ operator, client }: Replica) => ({ client, cpuSeconds: cpuSecondsOf(operator) });
  for (const name of QUESTION_NAMES) {
    const requests = jwts.map(QUESTIONS[name]);
    const limit = askingSide(serverOf(few), requests, ASKS);
    const door = askingSide(serverOf(many), requests, ASKS);
    const contest = { name: `${name}, ${FEW} and ${MANY} records`, calls: ASKS, limit, door };
    await compare(noRuns(), contest);
    for (let lap = 1; lap <= LAPS; lap += 1) await compare(rounds[name], contest);
  }
  return rounds;
};

/** Measures; what was made is gone when it returns, but for an empty namespace. */
export const measureAsked = async (world: World): Promise<AskedRounds> => {
  const few = await startReplica(world, [SYSTEM]);
  try {
    const jwts = await handOutBy(few);
    await fill(world, jwts[0] ?? '');
    const many = await startReplica(world, [SYSTEM, FILLER]);
    try {
      return await ask(few, many, jwts);
    } finally {
      await stopReplica(many);
    }
  } finally {
    await stopReplica(few);
    await world.api.delete(FILLER_CLIENT);
    await world.server.empty(batchesPath(FILLER));
    await world.server.empty(ISSUED_TOKENS);
  }
};

/** What it says in the table. */
export const askedFigures = (rounds: AskedRounds): Figure[] =>
  QUESTION_NAMES.map((name) =>
    contestFigure(rounds[name], {
      scenario: `${name} about ${FEW} tokens among ${MANY} records`,
      limit: `among ${FEW} records`,
      target: TARGET,
    }),
  );
