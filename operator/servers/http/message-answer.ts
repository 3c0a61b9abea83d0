import type { FastifyReply, FastifyRequest } from 'fastify';

/** What asks to be shown empty fields (spec §5). */
const PROTOJSON = 'application/protojson';

/** Whether empty fields are to be shown. */
export const showsEmpty = ({ headers }: Pick<FastifyRequest, 'headers'>): boolean =>
  headers.accept?.includes(PROTOJSON) ?? false;

/** The type of an answer in ProtoJSON. */
export const typeOf = (request: Pick<FastifyRequest, 'headers'>): string =>
  `${showsEmpty(request) ? PROTOJSON : 'application/json'}; charset=utf-8`;

/** Answers with one message. */
export const sendMessage = (request: FastifyRequest, reply: FastifyReply, message: object): void =>
  void reply.type(typeOf(request)).send(JSON.stringify(message));
