import { expect, test } from '@jest/globals';
import type { KeyPhase } from '../../../../operator/api/signing-key.ts';
import type { Token } from '../../../../operator/api/token.ts';
import type { Keyring } from '../../../../operator/ports/signing.ts';
import { KeyringChanges, TOKEN_INDEXERS } from '../../../../operator/reconcilers/token/token-triggers.ts';
import { ObjectStore } from '../../../../operator/runtime/object-store.ts';
import { recordedLog } from '../../../support/quiet.ts';
import { makeToken } from '../../domain/token/fake-token.ts';

const setUp = () => {
  const phases = new Map<string, KeyPhase>([['k', 'Active']]);
  const keyring: Keyring = {
    active: () => undefined,
    phase: (kid) => phases.get(kid),
    verify: async () => undefined,
    onChange: () => () => undefined,
  };
  const tokens = new ObjectStore<Token>({ log: recordedLog(), indexers: TOKEN_INDEXERS });
  const changes = new KeyringChanges(tokens, keyring);
  tokens.onChange((change) => changes.add(change));
  tokens.apply({ ...makeToken(), status: { keyID: 'k' } });
  return { phases, changes };
};

test('a change is determined by the call, whether its Tokens are read or not', () => {
  const { phases, changes } = setUp();
  phases.set('k', 'Retired');
  const affected = changes.affected();
  expect([...changes.affected()]).toEqual([]);
  expect([...affected]).toHaveLength(1);
});

test('a change whose Tokens are read later stays as it was, and the next call has the next change', () => {
  const { phases, changes } = setUp();
  phases.set('k', 'Retired');
  const first = changes.affected();
  phases.set('k', 'Active');
  expect([...changes.affected()]).toEqual([]);
  expect([...first]).toHaveLength(1);
  phases.set('k', 'Retired');
  expect([...changes.affected()]).toHaveLength(1);
});
