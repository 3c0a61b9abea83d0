import { expect, test } from '@jest/globals';
import { Emitter } from '../../../operator/async/emitter.ts';

test('handlers are called in the order of subscription, until they unsubscribe', () => {
  const emitter = new Emitter<number>(() => undefined);
  const seen: string[] = [];
  const handler = (event: number) => seen.push(`first ${event}`);
  const off = emitter.on(handler);
  emitter.on(handler);
  emitter.on((event) => seen.push(`second ${event}`));
  emitter.emit(1);
  off();
  emitter.emit(2);
  expect(seen).toEqual(['first 1', 'first 1', 'second 1', 'first 2', 'second 2']);
});

test('what a handler throws is reported, and the other handlers still get the event', () => {
  const errors: unknown[] = [];
  const seen: string[] = [];
  const emitter = new Emitter<string>((error, event) => errors.push([error, event]));
  const error = new Error('no');
  emitter.on(() => {
    throw error;
  });
  emitter.on((event) => seen.push(event));
  emitter.emit('a');
  expect({ errors, seen }).toEqual({ errors: [[error, 'a']], seen: ['a'] });
});
