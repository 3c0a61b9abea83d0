import { z } from 'zod';

/** A point in time of a CRD (RFC 3339); the schema's format `date-time` is checked by the API server. */
export const time = (description: string) =>
  z
    .string()
    .max(64)
    .meta({
      format: 'date-time',
      description: `${description} An RFC 3339 time such as 2030-01-31T12:00:00Z.`,
    });
