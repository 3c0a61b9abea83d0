import { memoizeFrozen } from '../../async/bounded-map.ts';
import { mapAwaitable } from '../../async/map-awaitable.ts';
import { withoutFinalNewline } from '../../domain/client/client-secret.ts';
import { IssuerFailure } from '../../issuer/failure.ts';
import type { IntrospectToken } from '../../issuer/use-cases.ts';
import { type Parameters, parametersOf, single } from './body.ts';
import { credentialsOf } from './client-credentials.ts';
import { oauthErrors } from './oauth-errors.ts';
import { formBody, jsonAnswer, OAUTH_ERRORS } from './openapi-parts.ts';
import type { Route } from './route.ts';

const INACTIVE = '{"active":false}';

/** The `token` parameter of introspection and revocation, without the newline of a file that it was read from. @throws IssuerFailure `Malformed` if it is missing */
export const tokenOf = (parameters: Parameters): string => {
  const token = withoutFinalNewline(single(parameters, 'token'));
  if (token === '') throw new IssuerFailure('Malformed', 'token is missing');
  return token;
};

const OPERATION = {
  summary: 'Whether a token is valid, and its claims',
  requestBody: formBody({ token: { type: 'string' }, token_type_hint: { type: 'string' } }),
  responses: {
    200: jsonAnswer('active: false alone, or the claims of a valid token', {
      active: { type: 'boolean' },
      client_id: { type: 'string' },
      sub: { type: 'string' },
      aud: { type: 'array', items: { type: 'string' } },
      scope: { type: 'string' },
      exp: { type: 'integer' },
      iat: { type: 'integer' },
      iss: { type: 'string' },
      jti: { type: 'string' },
      token_type: { type: 'string', const: 'Bearer' },
    }),
    ...OAUTH_ERRORS,
  },
};

/** Resource servers ask about the same token repeatedly. */
const activeOf = memoizeFrozen((claims: Readonly<Record<string, unknown>>) =>
  JSON.stringify({ ...claims, active: true, token_type: 'Bearer' }),
);

/** `POST {base}/oauth/introspect` (RFC 7662). */
export const introspectionRoute = (base: string, introspectToken: IntrospectToken): Route => ({
  method: 'POST',
  path: `${base}/oauth/introspect`,
  purpose: 'introspect token',
  errors: oauthErrors,
  successLevel: 'debug',
  operation: OPERATION,
  handle: (request, reply, call) => {
    const parameters = parametersOf(request);
    const token = tokenOf(parameters);
    const credentials = credentialsOf(call.authorization(), parameters);
    return mapAwaitable(introspectToken(token, credentials, call), (claims) => {
      call.note({ active: claims !== undefined, jti: claims?.jti });
      void reply.type('application/json').send(claims ? activeOf(claims) : INACTIVE);
    });
  },
});
