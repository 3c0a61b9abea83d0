import type { FastifyReply, FastifyRequest } from 'fastify';

/** Answers for browsers of other origins; nothing is said to any where none is configured (Fetch standard, CORS protocol). */
export interface Cors {
  /** Headers of every answer. */
  mark(request: FastifyRequest, reply: FastifyReply): void;
  /** Headers of an answer to a preflight. */
  preflight(request: FastifyRequest, reply: FastifyReply, methods: string): void;
}

const ALLOWED_HEADERS = 'authorization, content-type, accept';
const PREFLIGHT_SECONDS = '600';

/** Makes {@link Cors} for these origins; `*` is any, which is safe where nothing goes by cookie. */
export const createCors = (origins: readonly string[]): Cors => {
  const allowed = new Set(origins);
  const isAllowed = (origin: string | undefined): origin is string =>
    origin !== undefined && (allowed.has(origin) || allowed.has('*'));
  return {
    mark: ({ headers }, reply) => {
      if (allowed.size === 0) return;
      reply.header('vary', 'Origin');
      if (isAllowed(headers.origin)) reply.header('access-control-allow-origin', headers.origin);
    },
    preflight: ({ headers }, reply, methods) => {
      if (!isAllowed(headers.origin)) return;
      reply
        .header('access-control-allow-methods', methods)
        .header('access-control-allow-headers', ALLOWED_HEADERS)
        .header('access-control-max-age', PREFLIGHT_SECONDS);
    },
  };
};
