import { expect, test } from '@jest/globals';
import type { KeyPhase } from '../../../../operator/api/signing-key.ts';
import type { Token } from '../../../../operator/api/token.ts';
import type { Keyring } from '../../../../operator/ports/signing.ts';
import { KeyringChanges } from '../../../../operator/reconcilers/token/keyring-changes.ts';
import { TOKEN_INDEXERS } from '../../../../operator/reconcilers/token/token-indexes.ts';
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
  tokens.onChange((change) => changes.learn(change));
  tokens.apply({ ...makeToken(), status: { keyID: 'k' } });
  return { phases, changes };
};

test('a change is settled when it is asked for, whether its Tokens are looked at or not', () => {
  const { phases, changes } = setUp();
  phases.set('k', 'Retired');
  const concerned = changes.concerned();
  expect([...changes.concerned()]).toEqual([]);
  expect([...concerned]).toHaveLength(1);
});

test('a change whose Tokens are not looked at yet tells of it as it was, and the next one tells of the next', () => {
  const { phases, changes } = setUp();
  phases.set('k', 'Retired');
  const first = changes.concerned();
  phases.set('k', 'Active');
  expect([...changes.concerned()]).toEqual([]);
  expect([...first]).toHaveLength(1);
  phases.set('k', 'Retired');
  expect([...changes.concerned()]).toHaveLength(1);
});
