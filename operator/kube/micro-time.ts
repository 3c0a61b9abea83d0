/** Kubernetes' MicroTime: RFC 3339 in UTC with exactly six digits of a second, which Leases and Events insist on. */
export const microTime = (ms: number): string => new Date(ms).toISOString().replace('Z', '000Z');
