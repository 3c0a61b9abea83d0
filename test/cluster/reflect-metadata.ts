/**
 * The part of the `Reflect` metadata proposal that `tsyringe`, under @peculiar/x509, refuses to load without. To be
 * imported before @peculiar/x509.
 */
const metadata = new WeakMap<object, Map<unknown, unknown>>();

const getOwnMetadata = (key: unknown, target: object): unknown => metadata.get(target)?.get(key);

const defineMetadata = (key: unknown, value: unknown, target: object): void => {
  const entries = metadata.get(target) ?? new Map<unknown, unknown>();
  metadata.set(target, entries.set(key, value));
};

if (!('getMetadata' in Reflect)) {
  Object.assign(Reflect, { getMetadata: getOwnMetadata, getOwnMetadata, defineMetadata });
}
