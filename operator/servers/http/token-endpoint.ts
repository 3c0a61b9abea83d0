import { IssuerFailure } from '../../issuer/failure.ts';
import type {
  ClientCredentials,
  CreateToken,
  IssuedAccessToken,
  TokenRequest,
} from '../../issuer/use-cases.ts';
import { credentialsOf, withCredentials } from './client-credentials.ts';
import { oauthErrors } from './oauth-errors.ts';
import { formBody, jsonAnswer, OAUTH_ERRORS } from './openapi-parts.ts';
import { bodyParameters, type Parameters, single } from './parameters.ts';
import type { Route } from './route.ts';

const splitAtSpaces = (values: readonly string[] = []): string[] =>
  values.flatMap((value) => value.split(' ')).filter((value) => value !== '');

/** RFC 8707 §2 has `resource`, which may be repeated; `audience` and `aud` are what others call it, and may hold several. */
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

/** RFC 6749 §5.2: what is missing makes the request invalid; another grant type is unsupported. */
const grantTypeOf = (parameters: Parameters): string => {
  const grantType = single(parameters, 'grant_type');
  if (grantType === '') throw new IssuerFailure('Malformed', 'grant_type is missing');
  return grantType;
};

const requestOf = (parameters: Parameters): Omit<TokenRequest, keyof ClientCredentials> => ({
  grantType: grantTypeOf(parameters),
  audience: audienceOf(parameters),
  scope: splitAtSpaces([single(parameters, 'scope')]),
  expiration: expirationOf(parameters),
  tokenName: single(parameters, 'token_name'),
});

/** RFC 6749 §5.1. A token that never expires has no `expires_in`: 0 would say that it is over. */
const answerOf = ({ accessToken, expiresInSeconds, scope }: IssuedAccessToken): string =>
  JSON.stringify({
    access_token: accessToken,
    token_type: 'Bearer',
    ...(expiresInSeconds > 0 && { expires_in: expiresInSeconds }),
    ...(scope.length > 0 && { scope: scope.join(' ') }),
  });

const OPERATION = {
  summary: 'Hands out a token to a client that proves itself',
  requestBody: formBody({
    grant_type: { type: 'string', const: 'client_credentials' },
    scope: { type: 'string', description: 'Space-separated; none asks for all that the client allows.' },
    audience: {
      type: 'string',
      description: 'Space-separated; may be repeated, like aud and resource (RFC 8707).',
    },
    resource: { type: 'string' },
    expiration: { type: 'integer', description: "Unix seconds; none asks for the client's maximum." },
    token_name: { type: 'string', description: 'A name for people.' },
  }),
  responses: {
    200: jsonAnswer('The token', {
      access_token: { type: 'string' },
      token_type: { type: 'string', const: 'Bearer' },
      expires_in: { type: 'integer', description: 'Seconds that are left; absent where it never expires.' },
      scope: { type: 'string' },
    }),
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
  handle: async (request, reply, call) => {
    const parameters = bodyParameters(request);
    const asked = requestOf(parameters);
    const candidates = credentialsOf(call.authorization(), parameters);
    const token = await withCredentials(candidates, (credentials) =>
      createToken({ ...asked, ...credentials }, call),
    );
    call.note({ jti: token.id, client: token.clientID });
    // RFC 6749 §5.1, beside the Cache-Control of every answer.
    void reply.header('pragma', 'no-cache').type('application/json').send(answerOf(token));
  },
});
