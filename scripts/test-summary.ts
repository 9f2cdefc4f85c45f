// A reporter that comes after the detailed one: why tests were skipped, then node's closing lines as TAP writes them.
import type { TestEvent } from 'node:test/reporters';

export async function* summary(source: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const skipped = new Map<string, number>();
  const closing: string[] = [];
  for await (const event of source) {
    if (event.type === 'test:pass' && event.data.skip !== undefined && event.data.skip !== false) {
      const reason = event.data.skip === true ? 'no reason given' : event.data.skip;
      skipped.set(reason, (skipped.get(reason) ?? 0) + 1);
    }
    if (event.type === 'test:diagnostic' && event.data.nesting === 0) closing.push(event.data.message);
  }
  const required = process.env['VARKA_REQUIRE_PEERS'] === '1';
  if (skipped.size > 0) yield `\nskipped${required ? ', where nothing may be' : ''}\n`;
  for (const [reason, count] of skipped) yield `  ${count} × ${reason}\n`;
  if (skipped.size > 0 && required) process.exitCode = 1;
  yield '\n';
  for (const line of closing.filter((text) =>
    /^(tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) /.test(text),
  ))
    yield `# ${line}\n`;
}

// biome-ignore lint/style/noDefaultExport: node's test runner takes a reporter as the default export.
export default summary;
