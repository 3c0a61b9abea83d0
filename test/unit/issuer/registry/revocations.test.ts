import { expect, test } from '@jest/globals';
import { formatTime } from '../../../../operator/api/time.ts';
import { watchRevocations } from '../../../../operator/issuer/registry/revocations.ts';
import { declaredToken, FakeRegistry, issuedToken } from './fake-registry.ts';

const ID = '00000000-0000-4000-8000-000000000001';

const watched = ({ isLeading = true } = {}) => {
  const env = new FakeRegistry();
  watchRevocations({ ...env, isLeading: () => isLeading });
  const at = env.clock.now() / 1000;
  const status = { version: 1, blacklisted: { flag: true, timestamp: formatTime(at - 2) } };
  return { env, status };
};

test('a blacklisting is counted once, when status has it, with the time that it took to be observed', () => {
  const { env, status } = watched();
  env.cache(issuedToken(ID));
  env.cache(issuedToken(ID, { revoked: true }, { resourceVersion: '2' }));
  expect(env.metrics.calls).toEqual([]);
  env.cache(issuedToken(ID, { revoked: true }, { status, resourceVersion: '3' }));
  env.cache(issuedToken(ID, { revoked: true }, { status, resourceVersion: '4' }));
  expect(env.metrics.calls).toEqual([['revocationSeen', 2], ['tokenBlacklisted']]);
});

test('likewise of a declared Token', () => {
  const { env, status } = watched();
  env.tokens.putIfNewer(declaredToken());
  env.tokens.putIfNewer(declaredToken(status, {}, { resourceVersion: '20' }));
  expect(env.metrics.calls).toEqual([['revocationSeen', 2], ['tokenBlacklisted']]);
});

test('a replica that does not lead measures, and leaves the counting to the one that does', () => {
  const { env, status } = watched({ isLeading: false });
  env.cache(issuedToken(ID));
  env.cache(issuedToken(ID, {}, { status, resourceVersion: '2' }));
  expect(env.metrics.calls).toEqual([['revocationSeen', 2]]);
});

test('what was blacklisted when it was first seen is old', () => {
  const { env, status } = watched();
  env.cache(issuedToken(ID, {}, { status }));
  env.cache(issuedToken(ID, {}, { status, resourceVersion: '2' }));
  expect(env.metrics.calls).toEqual([]);
});
