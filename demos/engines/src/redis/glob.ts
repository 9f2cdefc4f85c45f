// Redis' patterns: `*`, `?`, `[abc]`, `[^a-z]`, `\x`.

/** Whether the whole text matches. Takes time linear in both lengths for every `*` at most. */
export function globMatches(pattern: string, text: string): boolean {
  let [p, t] = [0, 0];
  // Where to go on when what follows the last `*` did not fit: one character further.
  let star: { readonly p: number; t: number } | undefined;
  while (t < text.length || p < pattern.length) {
    if (pattern[p] === '*') {
      p += 1;
      star = { p, t };
      continue;
    }
    const next = t < text.length && p < pattern.length ? single(pattern, p, text[t] as string) : undefined;
    if (next !== undefined) {
      p = next;
      t += 1;
    } else if (star !== undefined && star.t < text.length) {
      star.t += 1;
      p = star.p;
      t = star.t;
    } else {
      return false;
    }
  }
  return true;
}

/** Where the pattern goes on when its part at `p` takes the character, or undefined. */
function single(pattern: string, p: number, char: string): number | undefined {
  switch (pattern[p]) {
    case '?':
      return p + 1;
    case '[':
      return characterClass(pattern, p, char);
    case '\\':
      return p + 1 < pattern.length ? (pattern[p + 1] === char ? p + 2 : undefined) : char === '\\' ? p + 1 : undefined;
    default:
      return pattern[p] === char ? p + 1 : undefined;
  }
}

function characterClass(pattern: string, start: number, char: string): number | undefined {
  let p = start + 1;
  const negated = pattern[p] === '^';
  if (negated) p += 1;
  let found = false;
  while (p < pattern.length && pattern[p] !== ']') {
    if (pattern[p] === '\\' && p + 1 < pattern.length) {
      p += 1;
      found ||= pattern[p] === char;
    } else if (pattern[p + 1] === '-' && p + 2 < pattern.length) {
      const [low = '', high = ''] = [pattern[p], pattern[p + 2]].sort();
      found ||= char >= low && char <= high;
      p += 2;
    } else {
      found ||= pattern[p] === char;
    }
    p += 1;
  }
  return found === negated ? undefined : p + 1;
}
