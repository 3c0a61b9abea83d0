import type { CreateToken } from '../../issuer/use-cases.ts';
import { mediaTypeOf, textOf } from './body.ts';
import { HttpFailure } from './http-failure.ts';
import { sendMessage, showsEmpty } from './message-answer.ts';
import { INT64, jsonAnswer, jsonBody, RPC_ERRORS } from './openapi-parts.ts';
import { createdJson, readCreateRequest } from './protojson.ts';
import type { Route } from './route.ts';
import { rpcErrors } from './rpc-errors.ts';

/** JSON comes under many names, but not under these (a page of another site can send them without asking). */
const isForm = (type: string): boolean =>
  type === 'application/x-www-form-urlencoded' || type.startsWith('multipart/');

const OPERATION = {
  summary: 'CreateToken: the request itself proves the client',
  requestBody: jsonBody({
    clientId: { type: 'string' },
    clientSecret: { type: 'string' },
    clientAssertionType: { type: 'string' },
    clientAssertion: { type: 'string' },
    grantType: { type: 'string', const: 'client_credentials' },
    audience: { type: 'array', items: { type: 'string' } },
    scope: { type: 'array', items: { type: 'string' } },
    expiration: { ...INT64, description: "Unix seconds; none asks for the client's maximum." },
    tokenName: { type: 'string', description: 'A name for people.' },
  }),
  responses: {
    200: jsonAnswer('CreateTokenResponse', {
      accessToken: { type: 'string' },
      tokenType: { type: 'string', const: 'Bearer' },
      expiresIn: { ...INT64, description: 'Seconds that are left; absent where it never expires.' },
      scope: { type: 'array', items: { type: 'string' } },
    }),
    ...RPC_ERRORS,
  },
};

/** `POST`: CreateToken (spec §4); a bearer is not looked at. */
export const createTokenRoute = (path: string, createToken: CreateToken): Route => ({
  method: 'POST',
  path,
  purpose: 'create token',
  errors: rpcErrors,
  successLevel: 'info',
  operation: OPERATION,
  handle: async (request, reply, call) => {
    if (isForm(mediaTypeOf(request))) throw new HttpFailure(415);
    const token = await createToken(readCreateRequest(textOf(request)), call);
    call.note({ jti: token.id, client: token.clientID });
    sendMessage(request, reply, createdJson(token, showsEmpty(request)));
  },
});
