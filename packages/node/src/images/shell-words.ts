// A command line in one string, split into words as a shell would, without running anything.

/** Words by blanks; quotes and backslashes as POSIX sh has them. Throws a `SyntaxError` on an open quote. */
export function shellWords(line: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote: '"' | "'" | undefined;
  for (let at = 0; at < line.length; at++) {
    const char = line[at] as string;
    if (quote === "'") {
      if (char === "'") quote = undefined;
      else word += char;
    } else if (char === '\\') {
      const next = line[++at];
      if (next === undefined) throw new SyntaxError('the command ends in a backslash');
      // Inside double quotes a backslash only escapes what would otherwise be special there.
      word = (word ?? '') + (quote === '"' && !'"\\$`'.includes(next) ? `\\${next}` : next);
    } else if (quote === '"') {
      if (char === '"') quote = undefined;
      else word += char;
    } else if (char === '"' || char === "'") {
      quote = char;
      word ??= '';
    } else if (/\s/.test(char)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else {
      word = (word ?? '') + char;
    }
  }
  if (quote !== undefined) throw new SyntaxError(`the command has an open ${quote}`);
  if (word !== undefined) words.push(word);
  return words;
}
