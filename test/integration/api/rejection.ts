import { expect } from '@jest/globals';
import type { Ref, TestApi } from '../../support/api.ts';

/** What is rejected, in the words of a sentence, the object, the field that has to be named, and what has to be said of it. */
export type Rejection = readonly [sentence: string, object: Ref, field: string, words: string];

/** A rule that fails itself gives one of these messages, which no user can act upon. */
const BROKEN_RULE = /no such (?:key|overload|field)|rule evaluation|conversion error|failed rule|cost/i;

/** Tries to create an object: 422, one cause for the field, the words in the message, and no rule that failed in itself. */
export const expectRejection = async (api: TestApi, [, object, field, words]: Rejection): Promise<void> => {
  const { status, body } = await api.create(object, { query: { dryRun: 'All', fieldValidation: 'Strict' } });
  expectInvalid({ status, body }, field, words);
};

/** An answer that rejects `field` with `words` in its message. */
export const expectInvalid = (
  { status, body }: Awaited<ReturnType<TestApi['create']>>,
  field: string,
  words: string,
): void => {
  const fields: string[] = (body.details?.causes ?? []).map((cause: { field?: string }) => cause.field);
  const named = fields.some(
    (path) => path === field || path.startsWith(`${field}[`) || path.startsWith(`${field}.`),
  );
  expect({ status, message: body.message, named, fields }).toEqual({
    status: 422,
    message: expect.stringContaining(words),
    named: true,
    fields,
  });
  expect(body.message).toContain(field);
  expect(body.message).not.toMatch(BROKEN_RULE);
};

/** Tries to create an object: it is accepted, and has no field that its schema does not know. */
export const expectAcceptance = async (api: TestApi, object: Ref): Promise<void> => {
  const { status, body } = await api.create(object, { query: { dryRun: 'All', fieldValidation: 'Strict' } });
  expect({ status, message: body.message }).toEqual({ status: 201, message: undefined });
};
