import { z } from 'zod';

const SYNTAX =
  /^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})$/u;

/** A point in time of a status (RFC 3339); its format `date-time` is checked by the API server. */
export const time = (description: string) =>
  z
    .string()
    .max(64)
    .meta({
      format: 'date-time',
      description: `${description} An RFC 3339 time such as 2030-01-31T12:00:00Z.`,
    });

/**
 * A point in time that users give. A pattern too, since Kubernetes' `date-time` takes texts that nobody else can read
 * (`00:00:00x5Z`); no rule, since CEL sees a field of that format as a time and no longer as a text.
 */
export const givenTime = (description: string) => time(description).regex(SYNTAX);
