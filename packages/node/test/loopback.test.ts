// Runs the tests under inside/ that hold for every sandbox in the one without namespaces, where none are to be had.
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { passes, refusal } from './support/unshared.ts';

const SUITES = ['sandbox', 'terminal', 'commands', 'pods', 'pod-end', 'services', 'dns'];
const scriptOf = (name: string): string => fileURLToPath(new URL(`./inside/${name}.ts`, import.meta.url));

describe('where namespaces are refused', { concurrency: 2 }, () => {
  const skip = refusal('refused', scriptOf('sandbox')) ?? false;
  for (const suite of SUITES) test(suite, { skip }, () => passes('refused', scriptOf(suite)));
});
