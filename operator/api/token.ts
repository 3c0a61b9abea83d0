import type { z } from 'zod';
import type { Immutable, Resource } from './meta.ts';
import type { TokenSpecSchema } from './token-spec.ts';
import type { TokenStatusSchema } from './token-status.ts';

export type TokenSpec = Immutable<z.output<typeof TokenSpecSchema>>;
export type TokenStatus = Immutable<z.output<typeof TokenStatusSchema>>;
/** A declared token: what a user asks for, and what the current JWT says. */
export type Token = Resource<'Token', TokenSpec, TokenStatus>;
