import { expect, test } from '@jest/globals';
import { parseArguments } from '../../operator/arguments.ts';

test.each([
  ['a configuration file', ['--config', 'x.yaml'], { kind: 'run', configPath: 'x.yaml' }],
  ['help', ['--help'], { kind: 'help' }],
  ['help, short', ['-h'], { kind: 'help' }],
  ['version', ['--version'], { kind: 'version' }],
])('%s', (_name, args, expected) => {
  expect(parseArguments(args)).toEqual(expected);
});

test.each([
  ['no configuration', []],
  ['an unknown flag', ['--conf', 'x']],
  ['a stray word', ['run']],
  ['a flag without its value', ['--config']],
  ['an empty file name', ['--config', '']],
])('%s is a misuse that says what is wrong', (_name, args) => {
  const command = parseArguments(args);
  expect(command.kind).toBe('misuse');
  expect(command.kind === 'misuse' && command.message.length).toBeGreaterThan(5);
});
