// The pages and what they need, read once: they are few and small.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ShopReply, ShopRequest } from '../web/service.ts';

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
};

interface StaticFile {
  readonly body: Buffer;
  readonly type: string;
  readonly etag: string;
}

export class StaticFiles {
  readonly #files = new Map<string, StaticFile>();

  /** `public/` beside this file, and each of `pages/` in the layout; `buttons` is their colour's name. */
  constructor(buttons: string) {
    const directory = fileURLToPath(new URL('./public/', import.meta.url));
    for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const path = `${entry.parentPath}/${entry.name}`;
      this.#add(path.slice(directory.length).replace(/^\/*/, '/'), readFileSync(path));
    }
    const pages = fileURLToPath(new URL('./pages/', import.meta.url));
    const layout = readFileSync(`${pages}layout.html`, 'utf8').replaceAll('{{buttons}}', buttons);
    for (const name of readdirSync(pages)) {
      if (name !== 'layout.html')
        this.#add(`/${name}`, Buffer.from(inLayout(layout, readFileSync(pages + name, 'utf8'))));
    }
  }

  /** Undefined when it is none of these. */
  reply({ method, path, headers }: ShopRequest): ShopReply | undefined {
    if (method !== 'GET' && method !== 'HEAD') return undefined;
    const file = this.#files.get(path === '/' ? '/index.html' : path);
    if (file === undefined) return undefined;
    const always = { etag: file.etag, 'cache-control': 'public, max-age=0' };
    if (headers['if-none-match'] === file.etag) return { status: 304, headers: always };
    return { status: 200, headers: { ...always, 'content-type': file.type }, body: file.body };
  }

  #add(path: string, body: Buffer): void {
    const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 27)}"`;
    this.#files.set(path, { body, etag, type: TYPES[extname(path)] ?? 'application/octet-stream' });
  }
}

/** A page begins with `<!-- title: …; script: … -->`; the rest is what stands in the layout's main. */
function inLayout(layout: string, page: string): string {
  const [head = '', title = '', script = ''] = /^<!-- title: (.+); script: (\S+) -->\n/.exec(page) ?? [];
  if (head === '') throw new Error('a page must begin with its title and script');
  return layout
    .replaceAll('{{title}}', title)
    .replace('{{script}}', script)
    .replace('{{main}}', () => page.slice(head.length));
}
