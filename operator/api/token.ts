import type { z } from 'zod';
import type { Resource } from './meta.ts';
import type { TokenSpecSchema } from './token-spec.ts';
import type { TokenStatusSchema } from './token-status.ts';

export type TokenSpec = z.output<typeof TokenSpecSchema>;
export type TokenStatus = z.output<typeof TokenStatusSchema>;
/** A declared token: what a user asks for, and what the current JWT says. */
export type Token = Resource<'Token', TokenSpec, TokenStatus>;
