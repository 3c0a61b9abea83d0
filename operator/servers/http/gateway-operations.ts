import { BEARER, ID_FILTER, INT64, jsonAnswer, jsonBody, RPC_ERRORS } from './openapi-parts.ts';

const STRINGS = { type: 'array', items: { type: 'string' } };

/** The OpenAPI operation of CreateToken. */
export const CREATE_TOKEN = {
  summary: 'CreateToken: the request itself authenticates the client',
  requestBody: jsonBody({
    clientId: { type: 'string' },
    clientSecret: { type: 'string' },
    clientAssertionType: { type: 'string' },
    clientAssertion: { type: 'string' },
    grantType: { type: 'string', const: 'client_credentials' },
    audience: STRINGS,
    scope: STRINGS,
    expiration: { ...INT64, description: "Unix seconds. Absent: the client's maximum." },
    tokenName: { type: 'string', description: 'A name for people.' },
  }),
  responses: {
    200: jsonAnswer('CreateTokenResponse', {
      accessToken: { type: 'string' },
      tokenType: { type: 'string', const: 'Bearer' },
      expiresIn: { ...INT64, description: 'Remaining seconds. Absent if the token never expires.' },
      scope: STRINGS,
    }),
    ...RPC_ERRORS,
  },
};

/** A Token message; empty fields are left out unless they are requested. */
const TOKEN = {
  type: 'object',
  properties: {
    id: { type: 'string' },
    version: INT64,
    name: { type: 'string' },
    owner: { type: 'string' },
    issuedAt: INT64,
    audience: STRINGS,
    scope: STRINGS,
    expiration: INT64,
    clientId: { type: 'string' },
    originalTokenClaims: {},
    blacklisted: {
      type: ['object', 'null'],
      properties: { flag: { type: 'boolean' }, timestamp: INT64 },
    },
    subject: { type: 'string' },
  },
};

/** The OpenAPI operation of GetTokens. */
export const GET_TOKENS = {
  summary: 'GetTokens: one {"result": …} a line',
  security: BEARER,
  parameters: [ID_FILTER, { name: 'includeBlacklisted', in: 'query', schema: { type: 'boolean' } }],
  responses: {
    200: jsonAnswer('Token messages, newline-delimited; an empty body if none matches', { result: TOKEN }),
    ...RPC_ERRORS,
  },
};

/** The OpenAPI operation of DeleteTokens. */
export const DELETE_TOKENS = {
  summary: 'DeleteTokens: revokes live tokens and deletes expired ones; all of the owner’s without idFilter',
  security: BEARER,
  parameters: [ID_FILTER],
  responses: {
    200: jsonAnswer('DeleteTokensResponse', { blacklistedCount: INT64, deletedCount: INT64 }),
    ...RPC_ERRORS,
  },
};
