import { MAX_IDS } from '../../issuer/id-filter.ts';

/** A JSON schema's properties (JSON Schema 2020-12, as OpenAPI 3.1 has it). */
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

/** A form, or the same as JSON, with what proves the client. */
export const formBody = (properties: Properties) => {
  const schema = schemaOf({ ...properties, ...CLIENT });
  return {
    required: true,
    content: { 'application/x-www-form-urlencoded': { schema }, 'application/json': { schema } },
  };
};

/** A body in JSON. */
export const jsonBody = (properties: Properties) => ({
  required: true,
  content: { 'application/json': { schema: schemaOf(properties) } },
});

/** A 64-bit number as ProtoJSON has it; a plain number is read as well. */
export const INT64 = { type: 'string', format: 'int64' };

/** An answer in JSON. */
export const jsonAnswer = (description: string, properties: Properties) => ({
  description,
  content: { 'application/json': { schema: schemaOf(properties) } },
});

const OAUTH_ERROR: Properties = { error: { type: 'string' }, error_description: { type: 'string' } };

/** RFC 6749 §5.2. */
export const OAUTH_ERRORS = {
  400: jsonAnswer('The request is refused', OAUTH_ERROR),
  401: jsonAnswer('The client did not prove itself: invalid_client', OAUTH_ERROR),
  503: jsonAnswer('temporarily_unavailable: ask again', OAUTH_ERROR),
  default: jsonAnswer('Refused by HTTP itself, or a defect', OAUTH_ERROR),
};

/** What needs a bearer. */
export const BEARER = [{ bearer: [] }];

/** Ids in a query, repeated. */
export const ID_FILTER = {
  name: 'idFilter',
  in: 'query',
  schema: { type: 'array', items: { type: 'string' }, maxItems: MAX_IDS },
};

const RPC_STATUS: Properties = { code: { type: 'integer' }, message: { type: 'string' } };

/** google.rpc.Status. */
export const RPC_ERRORS = {
  400: jsonAnswer('The request can not be read', RPC_STATUS),
  401: jsonAnswer('The client or the bearer is not good', RPC_STATUS),
  429: jsonAnswer('A quota, or too much at once', RPC_STATUS),
  503: jsonAnswer('Ask again', RPC_STATUS),
  default: jsonAnswer('Refused by HTTP itself, or a defect', RPC_STATUS),
};
