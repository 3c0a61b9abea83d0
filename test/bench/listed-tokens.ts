import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Token } from '../../operator/grpc/generated/m2moauthserver/pb/service.ts';
import { eventually } from '../support/eventually.ts';
import { type GrpcClient, grpcClient } from '../support/grpc.ts';
import { type StoredObject, timedLoop } from './api-server.ts';
import { copyOf, createToken, ISSUED_TOKENS, openDoor, sampleRecord } from './handed-out.ts';
import { type CallRound, latencyText, timedCalls } from './latency.ts';
import { type Figure, median, spread } from './report.ts';
import { note, QUICK, ROUNDS } from './scale.ts';
import type { World } from './world.ts';

/** GetTokens of an owner with many tokens, beside a bare stream of the same messages. */

const TOKENS = QUICK ? 2000 : 20_000;
const CALLS = QUICK ? 3 : 5;
const TARGET = 0.8;

/** Rates of messages, and how long a whole call takes. */
export interface ListedRounds {
  readonly bare: CallRound[];
  readonly door: CallRound[];
}

interface BareStream {
  readonly client: GrpcClient;
  stop(): void;
}

const startBareStream = async (messages: readonly Token[]): Promise<BareStream> => {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'bare-stream.ts')], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const encoded = messages.map((message) => Buffer.from(Token.encode(message).finish()).toString('base64'));
  child.stdin.end(JSON.stringify(encoded));
  const [port] = await once(createInterface({ input: child.stdout }), 'line');
  const client = grpcClient(Number(port));
  return {
    client,
    stop: () => {
      client.close();
      child.kill();
    },
  };
};

/** Calls one after another, so that each has the machine for itself; each has to give every message. */
const timedLists = (client: GrpcClient, authorization: string, count: number): Promise<CallRound> =>
  timedCalls({ count: CALLS, inFlight: 1 }, async () => {
    const found = await client.countTokens(authorization);
    if (found !== count) throw new Error(`${found} tokens came, not ${count}`);
  });

const fill = async (world: World, sample: StoredObject): Promise<void> => {
  await timedLoop(TOKENS, async () => {
    await world.server.write(
      'POST',
      `${ISSUED_TOKENS}?fieldManager=bare&fieldValidation=Strict`,
      copyOf(sample),
    );
  });
};

/** Measures; the records that it made stay until the world is closed. */
export const measureListed = async (world: World): Promise<ListedRounds> => {
  const { operator, door } = await openDoor(world);
  try {
    note(`${TOKENS} records for one owner`);
    await world.server.empty(ISSUED_TOKENS);
    await fill(world, await sampleRecord(world, door));
    const authorization = `Bearer ${await createToken(door)}`;
    await eventually(async () => (await door.countTokens(authorization)) >= TOKENS + 1, {
      timeoutMs: 60_000,
    });
    const messages = await door.getTokens(authorization);
    const bare = await startBareStream(messages);
    try {
      const rounds: ListedRounds = { bare: [], door: [] };
      for (let round = 0; round <= ROUNDS; round += 1) {
        const limit = await timedLists(bare.client, authorization, messages.length);
        const own = await timedLists(door, authorization, messages.length);
        // The first is for both to warm up.
        if (round === 0) continue;
        rounds.bare.push(limit);
        rounds.door.push(own);
      }
      return rounds;
    } finally {
      bare.stop();
    }
  } finally {
    door.close();
    await operator.stop();
  }
};

/** What it says in the table. */
export const listedFigures = ({ bare, door }: ListedRounds): Figure[] => {
  const rates = (rounds: readonly CallRound[]): number[] => rounds.map(({ perSecond }) => perSecond * TOKENS);
  const ratio = median(rates(door).map((rate, at) => rate / (rates(bare)[at] ?? Number.NaN)));
  return [
    {
      scenario: `GetTokens of ${TOKENS} tokens`,
      measured: `${spread(rates(door), 'messages/s')}, a call ${latencyText(door)}`,
      limit: `bare grpc-js stream of the same messages: ${spread(rates(bare), 'messages/s')}, a call ${latencyText(bare)}`,
      ratio,
      target: `≥ ${TARGET}`,
      pass: ratio >= TARGET,
    },
  ];
};
