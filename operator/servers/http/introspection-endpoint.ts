import { mapAwaitable } from '../../async/map-awaitable.ts';
import { IssuerFailure } from '../../issuer/failure.ts';
import type { IntrospectToken } from '../../issuer/use-cases.ts';
import { credentialsOf, withCredentials } from './client-credentials.ts';
import { oauthErrors } from './oauth-errors.ts';
import { formBody, jsonAnswer, OAUTH_ERRORS } from './openapi-parts.ts';
import { bodyParameters, type Parameters, single } from './parameters.ts';
import { remembered } from './remembered.ts';
import type { Route } from './route.ts';

const INACTIVE = '{"active":false}';

/** The token that introspection and revocation are about. @throws IssuerFailure `Malformed` where it is missing */
export const tokenOf = (parameters: Parameters): string => {
  const token = single(parameters, 'token');
  if (token === '') throw new IssuerFailure('Malformed', 'token is missing');
  return token;
};

const OPERATION = {
  summary: 'Tells a client whether a token is good, and what it says',
  requestBody: formBody({ token: { type: 'string' }, token_type_hint: { type: 'string' } }),
  responses: {
    200: jsonAnswer('active: false and nothing else, or what the token says', {
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

const activeOf = remembered((claims: Readonly<Record<string, unknown>>) =>
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
    const parameters = bodyParameters(request);
    const token = tokenOf(parameters);
    const told = withCredentials(credentialsOf(call.authorization(), parameters), (credentials) =>
      introspectToken(token, credentials, call),
    );
    return mapAwaitable(told, (claims) => {
      call.note({ active: claims !== undefined, jti: claims?.jti });
      void reply.type('application/json').send(claims ? activeOf(claims) : INACTIVE);
    });
  },
});
