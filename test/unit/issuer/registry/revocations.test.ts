import { expect, test } from '@jest/globals';
import { formatTime } from '../../../../operator/domain/timestamps.ts';
import { watchRevocations } from '../../../../operator/issuer/registry/revocations.ts';
import { declaredToken, issuedToken, RegistryStage } from './registry-stage.ts';

const ID = '00000000-0000-4000-8000-000000000001';

const watched = ({ isLeading = true } = {}) => {
  const stage = new RegistryStage();
  watchRevocations({ ...stage, isLeading: () => isLeading });
  const at = stage.clock.now() / 1000;
  const status = { version: 1, blacklisted: { flag: true, timestamp: formatTime(at - 2) } };
  return { stage, status };
};

test('a blacklisting is counted once, when the status says so, with the time that it took to be known', () => {
  const { stage, status } = watched();
  stage.cache(issuedToken(ID));
  stage.cache(issuedToken(ID, { revoked: true }, { resourceVersion: '2' }));
  expect(stage.metrics.calls).toEqual([]);
  stage.cache(issuedToken(ID, { revoked: true }, { status, resourceVersion: '3' }));
  stage.cache(issuedToken(ID, { revoked: true }, { status, resourceVersion: '4' }));
  expect(stage.metrics.calls).toEqual([['revocationSeen', 2], ['tokenBlacklisted']]);
});

test('likewise of a declared Token', () => {
  const { stage, status } = watched();
  stage.tokens.observe(declaredToken());
  stage.tokens.observe(declaredToken(status, {}, { resourceVersion: '20' }));
  expect(stage.metrics.calls).toEqual([['revocationSeen', 2], ['tokenBlacklisted']]);
});

test('a replica that does not lead measures, and leaves the counting to the one that does', () => {
  const { stage, status } = watched({ isLeading: false });
  stage.cache(issuedToken(ID));
  stage.cache(issuedToken(ID, {}, { status, resourceVersion: '2' }));
  expect(stage.metrics.calls).toEqual([['revocationSeen', 2]]);
});

test('what was blacklisted when it was first seen is old', () => {
  const { stage, status } = watched();
  stage.cache(issuedToken(ID, {}, { status }));
  stage.cache(issuedToken(ID, {}, { status, resourceVersion: '2' }));
  expect(stage.metrics.calls).toEqual([]);
});
