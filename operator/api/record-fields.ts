import { z } from 'zod';

/** A string in a record of an issued token; never empty. */
export const recordText = (max: number, description: string) =>
  z.string().min(1).max(max).meta({ description });

/** The OAuthClient that a record names, in its own namespace. */
export const recordClientRef = (description: string) =>
  z
    .object({ name: recordText(253, 'Name of the OAuthClient, in the same namespace.') })
    .meta({ description });

/** `status.version` of an object with such records; its transition rule is `neverFalling`. */
export const recordVersion = () =>
  z.int().min(0).meta({ description: 'Grows by one with every recorded change.', format: 'int64' });
