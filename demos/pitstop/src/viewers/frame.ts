// The frame of the viewers' pages, and the style they share.
import { readFileSync } from 'node:fs';
import { type Content, type Html, html } from '../shared/html.ts';
import { file, type WebReply } from '../shared/web.ts';

export const STYLE_PATH = '/viewer.css';

export function viewerStyle(): WebReply {
  return file('text/css; charset=utf-8', readFileSync(new URL('./viewer.css', import.meta.url)));
}

export function frame(title: string, content: Content): Html {
  return html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>${title}</title><link rel="stylesheet" href="${STYLE_PATH}"></head>
<body><header><a href="/">${title}</a></header><main>${content}</main></body></html>
`;
}
