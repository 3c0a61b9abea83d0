import { createHash } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';

/** A public document with its entity tag (RFC 9110 §8.8.3). */
export interface Cacheable {
  readonly body: string;
  readonly etag: string;
}

/** Shorter than the time for which a key is published before it signs (spec §2.5). */
const MAX_AGE_SECONDS = 300;

/** Makes a {@link Cacheable} of a JSON document. */
export const cacheable = (document: unknown): Cacheable => {
  const body = JSON.stringify(document);
  return { body, etag: `"${createHash('sha256').update(body).digest('base64url')}"` };
};

/** Makes a document when it is first needed, and again after `forget`. */
export const memoized = (make: () => Cacheable): { get(): Cacheable; forget(): void } => {
  let made: Cacheable | undefined;
  return {
    get: () => {
      made ??= make();
      return made;
    },
    forget: () => {
      made = undefined;
    },
  };
};

/** RFC 9110 §13.1.2: a list of entity tags, compared weakly, or `*`. */
const matches = (ifNoneMatch: string | undefined, etag: string): boolean =>
  ifNoneMatch?.split(',').some((tag) => ['*', etag, `W/${etag}`].includes(tag.trim())) ?? false;

/** Answers with the document, or 304 if the client has it. */
export const sendCacheable = (request: FastifyRequest, reply: FastifyReply, document: Cacheable): void => {
  const { body, etag } = document;
  reply.header('cache-control', `public, max-age=${MAX_AGE_SECONDS}`).header('etag', etag);
  if (matches(request.headers['if-none-match'], etag)) void reply.code(304).send();
  else void reply.type('application/json').send(body);
};
