// One line for each request, in Apache's combined log format.
import type { IncomingMessage, ServerResponse } from 'node:http';

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** `remote`: taken when the request came, since a connection that is gone has no address. */
export function combined(request: IncomingMessage, response: ServerResponse, remote: string, now: Date): string {
  const { method, url, httpVersion, headers } = request;
  const length = response.getHeader('content-length') ?? '-';
  return (
    `${remote} - ${userOf(headers.authorization)} [${clf(now)}] "${method} ${quoted(url)} HTTP/${httpVersion}" ` +
    `${response.statusCode} ${length} "${quoted(headers.referer)}" "${quoted(headers['user-agent'])}"`
  );
}

/** `19/Aug/2024:14:39:09 +0000` */
function clf(date: Date): string {
  const two = (number: number): string => String(number).padStart(2, '0');
  const day = `${two(date.getUTCDate())}/${MONTHS[date.getUTCMonth()]}/${date.getUTCFullYear()}`;
  return `${day}:${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())} +0000`;
}

/** The user name of Basic credentials (RFC 7617). */
function userOf(authorization: string | undefined): string {
  const [, encoded = ''] = /^Basic +([A-Za-z0-9+/=_-]+)$/i.exec(authorization ?? '') ?? [];
  const [user = ''] = Buffer.from(encoded, 'base64').toString('utf8').split(':', 1);
  return quoted(user === '' ? undefined : user);
}

/** A client must not be able to end the quotes, or the line. */
function quoted(text: string | undefined): string {
  if (text === undefined) return '-';
  return text.replace(/["\\\p{Cc}]/gu, (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`);
}
