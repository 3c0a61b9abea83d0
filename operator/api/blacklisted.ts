import { z } from 'zod';
import { time } from './time.ts';

/** `status.blacklisted` of a record, whatever kind it is; its transition rule is `blacklistedForEver`. */
export const blacklisted = () =>
  z
    .object({
      flag: z.boolean().meta({ description: 'True means revoked, irreversibly.' }),
      timestamp: time('When it was revoked.'),
    })
    .meta({
      description:
        'Whether the token is revoked. Irreversible: once the flag is true, no writer can change or remove this. Set it (flag and timestamp) with a patch of the status, or set spec.revoked.',
    });
