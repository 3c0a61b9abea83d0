import { eventually } from '../../support/eventually.ts';
import { type BenchEnv, secretsPath, tokensPath } from '../lib/bench-env.ts';
import { DUE, readyTokens } from '../lib/ready-tokens.ts';
import type { Figure } from '../lib/report.ts';

/** What a restart over Ready Tokens did. */
export interface RestartRound {
  readonly tokens: number;
  /** From the process's start until /readyz answers 200. */
  readonly secondsToReady: number;
  /** Writes to Tokens and Secrets that a watch saw after the restart. */
  readonly writes: number;
  readonly issued: number;
  /** Reads of whole Secrets: none is needed where nothing was tampered with. */
  readonly secretReads: number;
}

/** Starts the operator over `count` Ready Tokens, and watches it until it has looked at every one of them. */
export const restartOverReadyTokens = async (env: BenchEnv, count: number): Promise<RestartRound> => {
  const namespace = DUE;
  await readyTokens(env, { namespace, count });
  let writes = 0;
  const stops = [
    await env.server.watch(tokensPath(namespace), () => {
      writes += 1;
    }),
    await env.server.watch(secretsPath(namespace), () => {
      writes += 1;
    }),
  ];
  const start = performance.now();
  const second = await env.operator();
  await second.ready(120_000);
  const secondsToReady = (performance.now() - start) / 1000;
  await eventually(async () => (await second.sum('m2moauth_reconciles_total', 'kind="Token"')) >= count, {
    timeoutMs: 120_000,
    intervalMs: 200,
  });
  const issued = await second.sum('m2moauth_tokens_issued_total');
  const secretReads = await second.sum('m2moauth_api_requests_total', 'verb="get"');
  await second.stop();
  for (const stop of stops) stop();
  return { tokens: count, secondsToReady, writes, issued, secretReads };
};

/** What it says in the table. */
export const restartFigures = (round: RestartRound): Figure[] => [
  {
    scenario: `restart with ${round.tokens} Ready Tokens`,
    measured: `${round.writes} writes, ${round.issued} issued, ${round.secretReads} reads, ready after ${round.secondsToReady.toFixed(1)} s`,
    limit: '0 writes, 0 issued',
    target: 'nothing written, nothing issued',
    pass: round.writes === 0 && round.issued === 0,
  },
];
