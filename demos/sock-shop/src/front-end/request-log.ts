// A line for each request, as morgan's "dev" format has it: coloured by status.

export function requestLine(method: string, url: string, status: number, milliseconds: number, bytes: number): string {
  const colour = status >= 500 ? 31 : status >= 400 ? 33 : status >= 300 ? 36 : status >= 200 ? 32 : 0;
  return `\x1b[0m${method} ${url} \x1b[${colour}m${status}\x1b[0m ${milliseconds.toFixed(3)} ms - ${bytes}\x1b[0m`;
}
