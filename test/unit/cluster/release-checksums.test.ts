import { describe, expect, test } from '@jest/globals';
import { checksumIn, pinnedChecksums } from '../../cluster/release-checksums.ts';

const digest = (digit: string): string => digit.repeat(64);

describe('checksumIn', () => {
  test.each([
    ['a digest alone', digest('a'), digest('a')],
    ['a digest alone with a line end, in capitals', `${digest('A')}\r\n`, digest('a')],
    ['the line of the file', `${digest('b')}  other.zip\n${digest('c')}  etcd.tar.gz\n`, digest('c')],
    ['a line of binary mode', `${digest('d')} *etcd.tar.gz`, digest('d')],
    ['another file only', `${digest('e')}  etcd.tar.gz.asc`, undefined],
    ['a digest of another length', `${digest('f')}0  etcd.tar.gz`, undefined],
    ['several digests without names', `${digest('a')}\n${digest('b')}`, undefined],
    ['a web page', '<html>log in first</html>', undefined],
    ['nothing', '', undefined],
  ])('reads %s', (_, list, expected) => {
    expect(checksumIn(list, 'etcd.tar.gz', 'sha256')).toBe(expected);
  });
});

test('pinned checksums are lower-case digests of files that releases consist of', () => {
  for (const [path, checksum] of Object.entries(pinnedChecksums)) {
    expect(path).toMatch(
      /^v\d+\.\d+\.\d+\/(?:bin\/linux\/(?:amd64|arm64)\/[a-z-]+|etcd-v[\w.-]+\.tar\.gz)$/u,
    );
    expect(checksum).toMatch(path.includes('/bin/') ? /^[0-9a-f]{128}$/u : /^[0-9a-f]{64}$/u);
  }
});
