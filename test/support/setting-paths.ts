import { configSchema } from '../../operator/config/schema.ts';

/** Paths of all values of a document; a list is a value, and so is an address. */
export const pathsOf = (value: unknown, path = ''): string[] => {
  const isLeaf = typeof value !== 'object' || value === null || Array.isArray(value);
  if (isLeaf || path.endsWith('address')) return [path];
  return Object.entries(value).flatMap(([name, member]) =>
    pathsOf(member, path === '' ? name : `${path}.${name}`),
  );
};

/** The configuration with every default. Defaults leave out TLS, which an address that is not loopback needs: here it is plain text. */
export const defaultConfig = () => {
  const tls = { plaintext: true };
  return configSchema(undefined).parse({ grpc: { tls }, http: { tls } });
};
