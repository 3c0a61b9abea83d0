import { describe, expect, test } from '@jest/globals';
import { parseCommandLine } from '../../cluster/cli-arguments.ts';

describe('parseCommandLine', () => {
  test.each([
    ['up', { command: 'up', dir: undefined, node: false }],
    ['down --dir /tmp/x', { command: 'down', dir: '/tmp/x', node: false }],
    ['kubeconfig --dir=x', { command: 'kubeconfig', dir: 'x', node: false }],
    ['--dir x up', { command: 'up', dir: 'x', node: false }],
    ['--help', { command: 'help' }],
  ])('understands %p', (line, expected) => {
    expect(parseCommandLine(line.split(' '))).toEqual(expected);
  });

  test.each([
    ['no command', [], 'a command is missing'],
    ['an unknown command', ['restart'], 'unknown command: restart'],
    ['a second command', ['up', 'down'], 'unexpected argument: down'],
    ['an unknown flag', ['up', '--fast'], '--fast'],
    ['--dir without a value', ['up', '--dir'], '--dir'],
    ['--dir with an empty value', ['up', '--dir', ''], '--dir needs the path of a folder'],
  ])('rejects %s and shows the usage', (_, args, reason) => {
    expect(parseCommandLine(args)).toEqual({
      command: 'refuse',
      message: expect.stringMatching(new RegExp(`${reason}.*usage: npm run cluster`, 's')),
    });
  });

  test('--node asks for a node', () => {
    expect(parseCommandLine(['up', '--node'])).toEqual({ command: 'up', dir: undefined, node: true });
  });
});
