import { MAX_IDS } from '../../issuer/registry/records.ts';

/** Properties of a JSON schema (JSON Schema 2020-12, as OpenAPI 3.1 uses it). */
type Properties = Readonly<Record<string, object>>;

const CLIENT: Properties = {
  client_id: { type: 'string' },
  client_secret: { type: 'string' },
  client_assertion_type: {
    type: 'string',
    const: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
  },
  client_assertion: { type: 'string' },
};

const schemaOf = (properties: Properties) => ({ type: 'object', properties });

/** A form, or the same as JSON, with the parameters of client authentication. */
export const formBody = (properties: Properties) => {
  const schema = schemaOf({ ...properties, ...CLIENT });
  return {
    required: true,
    content: { 'application/x-www-form-urlencoded': { schema }, 'application/json': { schema } },
  };
};

/** A JSON request body. */
export const jsonBody = (properties: Properties) => ({
  required: true,
  content: { 'application/json': { schema: schemaOf(properties) } },
});

/** An int64 in ProtoJSON: written as a string; a number is accepted too. */
export const INT64 = { type: 'string', format: 'int64' };

/** A JSON response. */
export const jsonAnswer = (description: string, properties: Properties) => ({
  description,
  content: { 'application/json': { schema: schemaOf(properties) } },
});

/** RFC 6749 §5.2. */
export const OAUTH_ERROR: Properties = { error: { type: 'string' }, error_description: { type: 'string' } };

/** The errors of every OAuth endpoint. */
export const OAUTH_ERRORS = {
  400: jsonAnswer('The request is rejected', OAUTH_ERROR),
  401: jsonAnswer('Client authentication failed: invalid_client', OAUTH_ERROR),
  503: jsonAnswer('temporarily_unavailable: try again later', OAUTH_ERROR),
  default: jsonAnswer('A rejection by the HTTP layer, or a defect', OAUTH_ERROR),
};

/** The security requirement of operations that need a bearer. */
export const BEARER = [{ bearer: [] }];

/** The repeatable query parameter with ids. */
export const ID_FILTER = {
  name: 'idFilter',
  in: 'query',
  schema: { type: 'array', items: { type: 'string' }, maxItems: MAX_IDS },
};

const RPC_STATUS: Properties = { code: { type: 'integer' }, message: { type: 'string' } };

/** google.rpc.Status. */
export const RPC_ERRORS = {
  400: jsonAnswer('The request is malformed', RPC_STATUS),
  401: jsonAnswer('The client or the bearer is not valid', RPC_STATUS),
  429: jsonAnswer('A limit of the client, a quota, or too many concurrent requests', RPC_STATUS),
  503: jsonAnswer('Try again later', RPC_STATUS),
  default: jsonAnswer('A rejection by the HTTP layer, or a defect', RPC_STATUS),
};
