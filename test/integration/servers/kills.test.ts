import { testKills } from './kill-replicas.ts';

// The long form is test/faults/kills.test.ts.
testKills(12);
