import type { TokenRequest } from '../../domain/client/token-request.ts';
import { IssuerFailure } from '../../issuer/failure.ts';
import type { ClientCredentials, CreateToken, IssuedAccessToken } from '../../issuer/use-cases.ts';
import { type Parameters, parametersOf, single } from './body.ts';
import { credentialsOf } from './client-credentials.ts';
import { oauthErrors } from './oauth-errors.ts';
import { formBody, jsonAnswer, OAUTH_ERROR, OAUTH_ERRORS } from './openapi-parts.ts';
import type { Route } from './route.ts';

const splitAtSpaces = (values: readonly string[] = []): string[] =>
  values.flatMap((value) => value.split(' ')).filter((value) => value !== '');

/** The audience, from RFC 8707 `resource` (repeatable) and its other names `audience` and `aud`, which are split at spaces (spec §5). */
const audienceOf = (parameters: Parameters): string[] => [
  ...new Set([
    ...splitAtSpaces(parameters.get('audience')),
    ...splitAtSpaces(parameters.get('aud')),
    ...(parameters.get('resource') ?? []),
  ]),
];

const expirationOf = (parameters: Parameters): number => {
  const text = single(parameters, 'expiration');
  if (text === '') return 0;
  const seconds = Number(text);
  if (!/^-?[0-9]{1,15}$/u.test(text) || !Number.isSafeInteger(seconds)) {
    throw new IssuerFailure('Malformed', 'expiration is no time in Unix seconds');
  }
  return seconds;
};

/** RFC 6749 §5.2: without a grant type the request is invalid; another one is unsupported. */
const grantTypeOf = (parameters: Parameters): string => {
  const grantType = single(parameters, 'grant_type');
  if (grantType === '') throw new IssuerFailure('Malformed', 'grant_type is missing');
  return grantType;
};

const tokenRequestOf = (parameters: Parameters): Omit<TokenRequest, keyof ClientCredentials> => ({
  grantType: grantTypeOf(parameters),
  audience: audienceOf(parameters),
  scope: splitAtSpaces([single(parameters, 'scope')]),
  expiration: expirationOf(parameters),
  tokenName: single(parameters, 'token_name'),
});

/** RFC 6749 §5.1. A token that never expires has no `expires_in`: 0 would mean that it has expired. */
const answerOf = ({ accessToken, expiresInSeconds, scope }: IssuedAccessToken): string =>
  JSON.stringify({
    access_token: accessToken,
    token_type: 'Bearer',
    ...(expiresInSeconds > 0 && { expires_in: expiresInSeconds }),
    ...(scope.length > 0 && { scope: scope.join(' ') }),
  });

const OPERATION = {
  summary: 'Issues a token to an authenticated client',
  requestBody: formBody({
    grant_type: { type: 'string', const: 'client_credentials' },
    scope: { type: 'string', description: 'Space-separated. Absent: all scopes that the client allows.' },
    audience: {
      type: 'string',
      description: 'Space-separated; may be repeated, like aud and resource (RFC 8707).',
    },
    resource: { type: 'string' },
    expiration: { type: 'integer', description: "Unix seconds. Absent: the client's maximum." },
    token_name: { type: 'string', description: 'A name for people.' },
  }),
  responses: {
    200: jsonAnswer('The token', {
      access_token: { type: 'string' },
      token_type: { type: 'string', const: 'Bearer' },
      expires_in: { type: 'integer', description: 'Remaining seconds. Absent if the token never expires.' },
      scope: { type: 'string' },
    }),
    429: jsonAnswer('temporarily_unavailable: a limit of the client. See Retry-After', OAUTH_ERROR),
    ...OAUTH_ERRORS,
  },
};

/** `POST {base}/oauth/token` (RFC 6749 §4.4). */
export const tokenRoute = (base: string, createToken: CreateToken): Route => ({
  method: 'POST',
  path: `${base}/oauth/token`,
  purpose: 'create token',
  errors: oauthErrors,
  successLevel: 'info',
  operation: OPERATION,
  handle: async (httpRequest, reply, call) => {
    const parameters = parametersOf(httpRequest);
    const request = tokenRequestOf(parameters);
    const credentials = credentialsOf(call.authorization(), parameters);
    const token = await createToken({ ...request, ...credentials }, call);
    call.note({ jti: token.id, client: token.clientID });
    // RFC 6749 §5.1, beside the Cache-Control of every answer.
    void reply.header('pragma', 'no-cache').type('application/json').send(answerOf(token));
  },
});
