// A real browser, for pages: Debian's chromium, or the one that CHROMIUM names.
import { existsSync } from 'node:fs';
import { type Browser, chromium } from 'playwright-core';
import { inPath, type Peer } from './peers.ts';

// No sandbox, because tests run as root; the rest keeps it from calling home.
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** Window sizes in CSS pixels. */
export const PHONE = { width: 390, height: 844 };
export const WIDE = { width: 1280, height: 800 };

export function findChromium(): Peer<string> {
  const named = process.env['CHROMIUM'];
  if (named !== undefined) {
    return existsSync(named) ? { found: named } : { missing: `CHROMIUM names ${named}, which is not there` };
  }
  const installed = inPath('chromium') ?? inPath('chromium-browser') ?? inPath('google-chrome');
  if (installed !== undefined) return { found: installed };
  return { missing: 'no chromium in PATH (apt-get install chromium), and CHROMIUM names none' };
}

export function launch(executablePath: string): Promise<Browser> {
  return chromium.launch({ executablePath, args: FLAGS });
}
