import { expect, test } from '@jest/globals';
import { unlessAborted, whenAborted } from '../../../operator/async/abort.ts';

const never = new Promise<never>(() => undefined);

test('it settles as the work does', async () => {
  const { signal } = new AbortController();
  expect(await unlessAborted(Promise.resolve(1), signal)).toBe(1);
  await expect(unlessAborted(Promise.reject(new Error('no')), signal)).rejects.toThrow('no');
});

test('an abort rejects with the reason of the signal, or with the given error', async () => {
  const abort = new AbortController();
  const [plain, own] = [
    unlessAborted(never, abort.signal),
    unlessAborted(never, abort.signal, () => new Error('called off')),
  ];
  abort.abort(new Error('why'));
  await expect(plain).rejects.toThrow('why');
  await expect(own).rejects.toThrow('called off');
  await expect(unlessAborted(Promise.resolve(1), abort.signal)).rejects.toThrow('why');
});

test('whenAborted resolves at the abort, and at once after it', async () => {
  const abort = new AbortController();
  let aborted = false;
  const waiting = whenAborted(abort.signal).then(() => {
    aborted = true;
  });
  await Promise.resolve();
  expect(aborted).toBe(false);
  abort.abort();
  await waiting;
  await whenAborted(abort.signal);
  expect(aborted).toBe(true);
});
