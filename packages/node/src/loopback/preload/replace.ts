// Puts a function in the place of a built-in one, keeping what hangs on it (util.promisify.custom, for one).

export function replace<Owner extends object, Name extends keyof Owner>(
  owner: Owner,
  name: Name,
  make: (original: Owner[Name]) => Owner[Name] & object,
): void {
  const original = owner[name];
  const replacement = make(original);
  for (const key of Reflect.ownKeys(original as object)) {
    const descriptor = Object.getOwnPropertyDescriptor(original, key);
    if (descriptor === undefined || key === 'prototype') continue;
    Object.defineProperty(replacement, key, { ...descriptor, configurable: true });
  }
  owner[name] = replacement;
}
