// Finds where a text stops being JSON: the engine's own message often does not say.

const TOKEN =
  /\s*(?:([{}[\],:])|("(?:[^"\\\p{Cc}]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*")|(-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)(?![\w.]))/uy;

type Expected = 'value' | 'value or ]' | 'key' | 'key or }' | ':' | ', or end';

/** The offset of the first thing that does not belong there; the text's length when it is cut short. */
export function jsonErrorOffset(text: string): number {
  const open: ('{' | '[')[] = [];
  let expected: Expected = 'value';
  for (let at = 0; ; ) {
    const start = at + (/^\s*/.exec(text.slice(at, at + 1000))?.[0].length ?? 0);
    if (start >= text.length) return text.length;
    TOKEN.lastIndex = at;
    const match = TOKEN.exec(text);
    if (match === null) return start;
    const [, mark, string, plain] = match;
    const next = step(expected, mark, string ?? plain, string !== undefined, open);
    if (next === undefined) return start;
    expected = next;
    at = TOKEN.lastIndex;
  }
}

/** What may follow; undefined when the token may not be here. */
function step(
  expected: Expected,
  mark: string | undefined,
  scalar: string | undefined,
  isString: boolean,
  open: ('{' | '[')[],
): Expected | undefined {
  const inside = open.at(-1);
  const closes = mark === '}' ? inside === '{' : mark === ']' && inside === '[';
  if (closes && (expected === ', or end' || expected === 'key or }' || expected === 'value or ]')) {
    open.pop();
    return ', or end';
  }
  switch (expected) {
    case 'value':
    case 'value or ]':
      if (scalar !== undefined) return ', or end';
      if (mark !== '{' && mark !== '[') return undefined;
      open.push(mark);
      return mark === '{' ? 'key or }' : 'value or ]';
    case 'key':
    case 'key or }':
      return isString ? ':' : undefined;
    case ':':
      return mark === ':' ? 'value' : undefined;
    case ', or end':
      if (mark !== ',' || inside === undefined) return undefined;
      return inside === '{' ? 'key' : 'value';
  }
}
