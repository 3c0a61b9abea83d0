import { QUICK } from '../bench/lib/scale.ts';
import type { Attack } from './attack.ts';
import { largeJson } from './attackers/bodies.ts';
import { badBearers, deepMessages, greedyClient, guessedSecrets } from './attackers/calls.ts';
import {
  continuations,
  emptyWindows,
  pings,
  rapidResets,
  settingsFrames,
  smallWindows,
} from './attackers/floods.ts';
import { halfSentBodies, halfSentMessages, slowHeaders } from './attackers/half-sent.ts';
import { halfHandshakes, handshakeFlood } from './attackers/handshakes.ts';
import { headerLists, manyFields } from './attackers/headers.ts';
import { idle, together } from './attackers/idle.ts';
import { unreadDocuments, unreadHttpLists, unreadLists } from './attackers/slow-readers.ts';
import { healthWatches } from './attackers/streams.ts';
import { largeAnnotations, renewals } from './attackers/tenants.ts';
import { VICTIM } from './lib/target.ts';
import { checkGrowth, checkOthersReady } from './measure/tenants.ts';

/** Those of the acceptance; fewer where a run is to be short. */
const LARGE_TOKENS = QUICK ? 200 : 1500;

/** Every attack of strangers, by what they need: first a connection, then HTTP/2, then requests. */
export const ATTACKS: readonly Attack[] = [
  {
    name: 'idle-ops',
    does: '500 connections to the ops port send nothing',
    run: idle({ port: 'ops', secure: false, connections: 500 }),
    isRefused: true,
  },
  {
    name: 'idle-probes',
    does: '500 connections to the port of the probes send nothing',
    run: idle({ port: 'probes', secure: false, connections: 500 }),
    isRefused: true,
  },
  {
    name: 'half-handshakes-grpc',
    does: '5,000 TLS handshakes with gRPC, from 4 addresses, go on for ever',
    run: halfHandshakes({ port: 'grpc', connections: 5000, addresses: 4 }),
    isRefused: true,
  },
  {
    name: 'half-handshakes-http',
    does: '5,000 TLS handshakes with HTTP, from 4 addresses, go on for ever',
    run: halfHandshakes({ port: 'http', connections: 5000, addresses: 4 }),
    isRefused: true,
  },
  {
    name: 'handshake-flood',
    does: 'TLS handshakes one after the other, 32 at a time',
    run: handshakeFlood({ port: 'grpc', connections: 32 }),
    isRefused: false,
  },
  {
    name: 'health-watch',
    does: '10 connections watch the health of the server 256 times each',
    run: healthWatches({ connections: 10, streams: 256 }),
    isRefused: true,
  },
  {
    name: 'half-messages',
    does: '6 connections send 256 gRPC messages each without their last byte',
    run: halfSentMessages({ connections: 6, streams: 256 }),
    isRefused: true,
  },
  {
    name: 'half-messages-many',
    does: '200 connections from 4 addresses send 16 gRPC messages each without their last byte',
    run: halfSentMessages({ connections: 200, streams: 16, addresses: 4 }),
    isRefused: true,
  },
  {
    name: 'half-bodies',
    does: '800 HTTP requests of 64 KB lack their last byte',
    run: halfSentBodies({ connections: 800 }),
    isRefused: true,
  },
  {
    name: 'slow-headers',
    does: '1,000 HTTP requests send a header a second without end',
    run: slowHeaders({ connections: 1000 }),
    isRefused: true,
  },
  {
    name: 'idle-connections',
    does: '700 TLS connections to gRPC and 700 to HTTP are made and send nothing more',
    run: together(
      idle({ port: 'grpc', secure: true, connections: 700 }),
      idle({ port: 'http', secure: true, connections: 700 }),
    ),
    isRefused: true,
  },
  {
    name: 'header-lists',
    does: '8 connections open 100 streams with 60 KB of header fields each; 16 send 500 fields over HTTP, again and again',
    run: together(headerLists({ connections: 8, streams: 100 }), manyFields({ connections: 16 })),
    isRefused: true,
  },
  {
    name: 'continuation-flood',
    does: '8 connections send header lists that never end',
    run: continuations({ connections: 8 }),
    isRefused: true,
  },
  {
    name: 'rapid-reset',
    does: '8 connections open streams and reset them at once',
    run: rapidResets({ connections: 8 }),
    isRefused: true,
  },
  {
    name: 'ping-flood',
    does: '8 connections send PINGs, 4 of which read no answer',
    run: together(pings({ connections: 4 }), pings({ connections: 4, reads: false })),
    isRefused: false,
  },
  {
    name: 'settings-flood',
    does: '8 connections send SETTINGS, 4 of which read no acknowledgement',
    run: together(settingsFrames({ connections: 4 }), settingsFrames({ connections: 4, reads: false })),
    isRefused: true,
  },
  {
    name: 'window-updates',
    does: '8 connections enlarge their window by one byte, again and again, and 8 by none',
    run: together(smallWindows({ connections: 8 }), emptyWindows({ connections: 8 })),
    isRefused: true,
  },
  {
    name: 'unread-lists',
    does: '20 gRPC connections list 3,000 tokens 100 times each, and read nothing, or ten bytes a second',
    run: unreadLists({ connections: 20, streams: 100 }),
    isRefused: true,
  },
  {
    name: 'unread-http-lists',
    does: '500 HTTP connections list 3,000 tokens and read nothing',
    run: unreadHttpLists({ connections: 500 }),
    // The kernel's buffers take a list of 3,000 tokens whole: then it has ended for the operator.
    isRefused: false,
  },
  {
    name: 'unread-documents',
    does: '100 HTTP connections request documents without end and read nothing',
    run: unreadDocuments({ connections: 100 }),
    isRefused: false,
  },
  {
    name: 'nested-messages',
    does: 'JSON, assertions and protobuf are nested thousands of times, over 16 HTTP and 4 gRPC connections',
    run: together(largeJson({ connections: 16 }), deepMessages({ connections: 4, inFlight: 8 })),
    isRefused: true,
  },
  {
    name: 'guessed-secrets',
    does: 'one client’s secret is guessed, 64 calls at a time, while that client and another one call',
    run: guessedSecrets({ connections: 4, inFlight: 16 }),
    isRefused: true,
    victim: VICTIM,
  },
  {
    name: 'bad-bearers',
    does: 'bearers that are garbage, of an unknown key or badly signed, and a valid one with 1,000 unknown ids, 64 calls at a time',
    run: badBearers({ connections: 4, inFlight: 16 }),
    isRefused: true,
  },
  {
    name: 'greedy-client',
    does: 'one client creates tokens, 64 at a time, with its valid secret',
    run: greedyClient({ connections: 4, inFlight: 16 }),
    isRefused: false,
    slowdown: 2,
  },
  {
    name: 'tenant-renewals',
    does: 'a tenant annotates 50 Tokens for new JWTs in a loop, 8 writes at a time',
    run: renewals({ tokens: 50 }),
    isRefused: false,
    alongside: checkOthersReady,
  },
  {
    name: 'tenant-annotations',
    does: `a tenant makes ${LARGE_TOKENS} Tokens with annotations of 256 KiB each`,
    run: largeAnnotations({ tokens: LARGE_TOKENS }),
    isRefused: false,
    seconds: 240,
    alongside: checkGrowth,
  },
];
