import { expect, test } from '@jest/globals';
import type { OAuthClient } from '../../../../operator/api/oauth-client.ts';
import type { OtherInstallation } from '../../../../operator/domain/client/installation.ts';
import { decideIssuer } from '../../../../operator/domain/client/issuer-decision.ts';

const OWN = 'https://own.example';
const OTHER = 'https://other.example';
const OLD = 'https://old.example';

const clientOf = (spec: object = {}, status: object = {}): OAuthClient => ({
  apiVersion: 'm2moauth.dev/v1alpha1',
  kind: 'OAuthClient',
  metadata: {
    name: 'app',
    namespace: 'team',
    uid: 'uid',
    resourceVersion: '1',
    creationTimestamp: '2026-01-01T00:00:00Z',
  },
  spec: {
    accessTokenLifetime: '1h',
    allowedGrantTypes: ['client_credentials'],
    recording: 'PerToken',
    ...spec,
  },
  status,
});

const installation = (
  url: string | undefined,
  watchNamespaces: readonly string[] = [],
): OtherInstallation => ({
  namespace: 'elsewhere',
  url,
  watchNamespaces,
  isRunning: true,
  since: '2026-01-01T00:00:00Z',
  kids: new Set(['theirs']),
});

const decide = (
  client: OAuthClient,
  { others = [], kids = [] }: { others?: readonly OtherInstallation[]; kids?: readonly string[] } = {},
) =>
  decideIssuer({
    client,
    urls: { url: OWN, previousURLs: [OLD] },
    others,
    kids: () => kids,
    isOwnKid: (kid) => kid === 'ours',
  });

const own = { kind: 'own' };
const other = { kind: 'other' };
const undecided = { kind: 'undecided', candidates: [OTHER, OWN] };
const announced = [installation(OTHER)];
const silent = [installation(undefined)];

test.each([
  ['without others is ours', clientOf(), {}, own],
  ['that a lost key of ours has signed for is ours without others', clientOf(), { kids: ['lost'] }, own],
  ['that its spec gives to us is ours', clientOf({ issuer: OWN }), { others: announced }, own],
  ['that its spec gives to another is not ours', clientOf({ issuer: OTHER }), {}, other],
  ['that its status gives to another is not ours', clientOf({}, { issuer: OTHER }), {}, other],
  ['that we have registered is ours', clientOf({}, { issuer: OWN }), { others: announced }, own],
  ['that goes from us to another is not ours', clientOf({ issuer: OTHER }, { issuer: OWN }), {}, other],
  ['that comes to us from another is ours', clientOf({ issuer: OWN }, { issuer: OTHER }), {}, own],
  ['of a URL that we had before is ours', clientOf({}, { issuer: OLD }), { others: announced }, own],
  ['that an URL like ours has is not ours', clientOf({ issuer: `${OWN}/` }), {}, other],
  ['with two candidates is nobody’s', clientOf(), { others: announced }, undecided],
  ['whose tokens we alone have signed is ours', clientOf(), { others: announced, kids: ['ours'] }, own],
  ['whose tokens another has signed is its', clientOf(), { others: announced, kids: ['theirs'] }, other],
  [
    'whose tokens both have signed is nobody’s',
    clientOf(),
    { others: announced, kids: ['theirs', 'ours'] },
    undecided,
  ],
  [
    'whose tokens somebody unknown has signed is nobody’s',
    clientOf(),
    { others: announced, kids: ['lost'] },
    undecided,
  ],
  ['that the other does not watch is ours', clientOf(), { others: [installation(OTHER, ['b'])] }, own],
  [
    'in one of the namespaces that the other watches is nobody’s',
    clientOf(),
    { others: [installation(OTHER, ['b', 'team'])] },
    undecided,
  ],
  ['beside an earlier release is ours', clientOf(), { others: silent }, own],
  ['that an earlier release has signed for is its', clientOf(), { others: silent, kids: ['theirs'] }, other],
  [
    'that an earlier release and we have signed for is ours',
    clientOf(),
    { others: silent, kids: ['ours', 'theirs'] },
    own,
  ],
])('a client %s', (_, client, around, expected) => {
  expect(decide(client, around)).toEqual(expected);
});

test('the kids are not read where nobody else is, or somebody is named', () => {
  const observation = {
    urls: { url: OWN },
    isOwnKid: () => true,
    kids: () => {
      throw new Error('read');
    },
  };
  expect(decideIssuer({ ...observation, client: clientOf(), others: [] })).toEqual(own);
  const named = clientOf({ issuer: OTHER });
  expect(decideIssuer({ ...observation, client: named, others: announced })).toEqual(other);
});

test('every installation names the same candidates', () => {
  const theirs = decideIssuer({
    client: clientOf(),
    urls: { url: OTHER },
    others: [installation(OWN)],
    kids: () => [],
    isOwnKid: () => false,
  });
  expect(theirs).toEqual(undecided);
});
