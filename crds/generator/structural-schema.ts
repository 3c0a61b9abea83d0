import { z } from 'zod';

/** A JSON schema as a CRD holds it (Kubernetes: structural schema). */
export type StructuralSchema = { readonly [keyword: string]: unknown };

const PRESERVE = 'x-kubernetes-preserve-unknown-fields';

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Each value of a map of schemas, made structural. */
const eachStructural = (schemas: unknown): unknown =>
  isObject(schemas)
    ? Object.fromEntries(Object.entries(schemas).map(([name, schema]) => [name, structural(schema)]))
    : schemas;

/** Values without a schema of their own are kept by `preserve-unknown-fields`: a structural schema has no empty ones. */
const isFree = (schema: unknown): boolean => isObject(schema) && Object.keys(schema).length === 0;

const structural = (schema: unknown): unknown => {
  if (!isObject(schema)) return schema;
  const { properties, items, additionalProperties, ...rest } = schema;
  const free = isFree(additionalProperties);
  return {
    ...rest,
    ...(properties !== undefined && { properties: eachStructural(properties) }),
    ...(items !== undefined && { items: structural(items) }),
    ...(additionalProperties !== undefined &&
      !free && { additionalProperties: structural(additionalProperties) }),
    ...(free && { [PRESERVE]: true }),
  };
};

/** The structural schema of what users write (defaults not yet set) for a zod schema. */
export const structuralSchema = (schema: z.ZodType): StructuralSchema =>
  structural(z.toJSONSchema(schema, { target: 'openapi-3.0', io: 'input' })) as StructuralSchema;
