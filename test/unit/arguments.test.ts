import { expect, test } from '@jest/globals';
import { parseArguments } from '../../operator/arguments.ts';

test.each([
  ['a configuration file', ['--config', 'x.yaml'], { kind: 'run', configPath: 'x.yaml' }],
  ['help', ['--help'], { kind: 'help' }],
  ['help, short', ['-h'], { kind: 'help' }],
  ['version', ['--version'], { kind: 'version' }],
  ['a migration', ['migrate', 'x'], { kind: 'migrate', from: 'x', namespace: 'm2m-oauth-system' }],
  ['a migration to', ['migrate', 'x', '--namespace', 'a'], { kind: 'migrate', from: 'x', namespace: 'a' }],
])('%s', (_name, args, expected) => {
  expect(parseArguments(args)).toEqual(expected);
});

test.each([
  ['no configuration', []],
  ['an unknown flag', ['--conf', 'x']],
  ['a stray word', ['run']],
  ['a stray word beside a configuration', ['--config', 'x', 'run']],
  ['a migration of nothing', ['migrate']],
  ['a migration of two files', ['migrate', 'x', 'y']],
  ['a namespace without a migration', ['--config', 'x', '--namespace', 'a']],
  ['a flag without its value', ['--config']],
  ['an empty file name', ['--config', '']],
])('%s is a misuse that says what is wrong', (_name, args) => {
  const command = parseArguments(args);
  expect(command.kind).toBe('misuse');
  expect(command.kind === 'misuse' && command.message.length).toBeGreaterThan(5);
});
