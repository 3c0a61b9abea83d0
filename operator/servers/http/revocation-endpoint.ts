import type { RevokeToken } from '../../issuer/use-cases.ts';
import { parametersOf } from './body.ts';
import { credentialsOf } from './client-credentials.ts';
import { tokenOf } from './introspection-endpoint.ts';
import { oauthErrors } from './oauth-errors.ts';
import { formBody, OAUTH_ERRORS } from './openapi-parts.ts';
import type { Route } from './route.ts';

/** `POST {base}/oauth/revoke` (RFC 7009): 200 for every token, once the client is authenticated. */
export const revocationRoute = (base: string, revokeToken: RevokeToken): Route => ({
  method: 'POST',
  path: `${base}/oauth/revoke`,
  purpose: 'revoke token',
  errors: oauthErrors,
  successLevel: 'info',
  operation: {
    summary: 'Revokes a token of the calling client',
    requestBody: formBody({ token: { type: 'string' }, token_type_hint: { type: 'string' } }),
    responses: { 200: { description: 'The token is not valid any more, or never was' }, ...OAUTH_ERRORS },
  },
  handle: async (request, reply, call) => {
    const parameters = parametersOf(request);
    const token = tokenOf(parameters);
    const revoked = await revokeToken(token, credentialsOf(call.authorization(), parameters), call);
    call.note({ client: revoked.clientID, jti: revoked.id });
    void reply.send();
  },
});
