import { afterAll, beforeAll, test } from '@jest/globals';
import { actOutInterleavings, type Replicas, startReplicas } from '../integration/servers/interleavings.ts';

let replicas: Replicas;

beforeAll(async () => {
  replicas = await startReplicas();
}, 900_000);
afterAll(() => replicas?.close());

test('1,000 random interleavings end as the model says', () => actOutInterleavings(replicas, 1000), 600_000);
