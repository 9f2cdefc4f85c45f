// exportTo: the namespaces an object can be seen in. `.` is its own, `*` all; said nothing, all.

export function visibleIn(exportTo: readonly string[] | undefined, home: string, namespace: string): boolean {
  if (exportTo === undefined || exportTo.length === 0) return true;
  return exportTo.some((scope) => scope === '*' || scope === namespace || (scope === '.' && home === namespace));
}
