import { expect, test } from '@jest/globals';
import { IssuerFailure, refused, whyOf } from '../../../operator/issuer/failure.ts';

const cause = new Error('connection refused');

test.each([
  [
    'a failure with a code and a text',
    new IssuerFailure('Malformed', 'no'),
    { failure: 'Malformed', why: 'no' },
  ],
  [
    'a rejection with its OAuth code and detail',
    refused('invalid_scope', 'no', 'write'),
    { failure: 'Refused', why: 'no', reason: 'invalid_scope', detail: 'write' },
  ],
  [
    'a failure with its cause',
    new IssuerFailure('Unavailable', 'no', { cause }),
    { failure: 'Unavailable', why: 'no', error: cause },
  ],
  ['anything else as it is', cause, { error: cause }],
])('the log has %s', (_, failure, fields) => {
  expect(whyOf(failure)).toEqual(fields);
});
