import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { eventually } from '../support/eventually.ts';
import { type Installation, install } from '../support/installation.ts';
import type { OperatorProcess } from '../support/operator-process.ts';

let installation: Installation;
let operator: OperatorProcess;

beforeAll(async () => {
  installation = await install();
  operator = await installation.operator();
  await operator.ready();
}, 600_000);
afterAll(() => installation?.close());

test('a replica stays ready where nothing changes that it watches', async () => {
  const startedAt = performance.now();
  const rejections: string[] = [];
  // A watch without an event for 90 s is stale.
  const isOver = async (): Promise<boolean> => {
    const answer = await fetch(`${operator.opsUrl}/readyz`);
    if (answer.status !== 200) rejections.push(await answer.text());
    return performance.now() - startedAt > 130_000;
  };
  await eventually(isOver, { timeoutMs: 180_000, intervalMs: 1000 });
  expect(rejections).toEqual([]);
}, 200_000);
