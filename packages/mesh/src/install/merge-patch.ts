// The JSON merge patch (RFC 7386) that leads from one value to another.

type Json = Record<string, unknown>;

/** What has to be sent for `from` to become `to`: changed fields, and null for those that went. Lists change as a whole. */
export function mergePatch(from: Json, to: Json): Json {
  const patch: Json = {};
  for (const [name, value] of Object.entries(to)) {
    const before = from[name];
    if (isMap(before) && isMap(value)) {
      const inner = mergePatch(before, value);
      if (Object.keys(inner).length > 0) patch[name] = inner;
    } else if (!sameJson(before, value)) {
      patch[name] = value;
    }
  }
  for (const name of Object.keys(from)) {
    if (!(name in to)) patch[name] = null;
  }
  return patch;
}

/** Equal as JSON, whatever the order of the fields. */
export function sameJson(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((item, index) => sameJson(item, b[index]));
  }
  if (!isMap(a) || !isMap(b)) return false;
  const names = Object.keys(a).filter((name) => a[name] !== undefined);
  return (
    names.length === Object.keys(b).filter((name) => b[name] !== undefined).length &&
    names.every((name) => sameJson(a[name], b[name]))
  );
}

export function isMap(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
