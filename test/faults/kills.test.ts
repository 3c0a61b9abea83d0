import { testKills } from '../integration/servers/kill-replicas.ts';

testKills(100);
