// `$(VAR)` in commands, arguments and environment values, as Kubernetes expands it.

/**
 * Container.args: "The $(VAR_NAME) syntax can be escaped with a double $$ … If a variable cannot be resolved, the
 * reference in the input string will be unchanged." A lone `$`, or a `$(` that is never closed, stands for itself.
 */
export function expand(input: string, lookup: (name: string) => string | undefined): string {
  let output = '';
  for (let at = 0; at < input.length; ) {
    const dollar = input.indexOf('$', at);
    if (dollar < 0) return output + input.slice(at);
    output += input.slice(at, dollar);
    const next = input[dollar + 1];
    const close = next === '(' ? input.indexOf(')', dollar + 2) : -1;
    if (next === '$') {
      output += '$';
      at = dollar + 2;
    } else if (close >= 0) {
      const name = input.slice(dollar + 2, close);
      output += lookup(name) ?? `$(${name})`;
      at = close + 1;
    } else {
      output += '$';
      at = dollar + 1;
    }
  }
  return output;
}
