import { expect, test } from '@jest/globals';
import { createKeyedMutex } from '../../../operator/async/keyed-mutex.ts';

test('work on one key goes on one after the other, on others beside it', async () => {
  const mutex = createKeyedMutex();
  const log: string[] = [];
  const gates = new Map<string, () => void>();
  const work = (name: string) => async () => {
    log.push(`begin ${name}`);
    await new Promise<void>((resolve) => gates.set(name, resolve));
    log.push(`end ${name}`);
    return name;
  };
  const first = mutex.take('a', work('first'));
  const second = mutex.take('a', work('second'));
  const other = mutex.take('b', work('other'));
  expect(log).toEqual(['begin first', 'begin other']);
  gates.get('first')?.();
  expect(await first).toBe('first');
  await Promise.resolve();
  expect(log).toEqual(['begin first', 'begin other', 'end first', 'begin second']);
  gates.get('second')?.();
  gates.get('other')?.();
  expect(await Promise.all([second, other])).toEqual(['second', 'other']);
});

test('a failure does not block the next in the queue', async () => {
  const mutex = createKeyedMutex();
  const failing = mutex.take('a', () => Promise.reject(new Error('no')));
  const next = mutex.take('a', async () => 'done');
  await expect(failing).rejects.toThrow('no');
  expect(await next).toBe('done');
});
