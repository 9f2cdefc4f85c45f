// Adding, setting and removing headers [istio pkg/config/validation ValidateHTTPHeaderOperationName].
import type { Place } from './report.ts';

/** No control characters but the tab, so that a value can't end the header. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused here
const HEADER_VALUE = /^[^\u0000-\u0008\u000A-\u001F\u007F]*$/;

export function checkHeaders(headers: Place): void {
  for (const direction of ['request', 'response'] as const) {
    const operations = headers.field(direction);
    for (const operation of ['set', 'add'] as const) {
      for (const [name, value] of operations.field(operation).entries()) {
        checkName(name, value, direction === 'request');
        if (!HEADER_VALUE.test(value.text))
          value.error(`header value configuration ${JSON.stringify(value.text)} is invalid`);
      }
    }
    for (const name of operations.field('remove').items()) checkName(name.text, name, false);
  }
}

export function isAuthority(name: string): boolean {
  return /^(:authority|host)$/i.test(name);
}

/** The authority may be set on a request; other pseudo-headers are not headers to change. */
function checkName(name: string, place: Place, authorityAllowed: boolean): void {
  if (name === '') place.error('header name cannot be empty');
  else if (isAuthority(name) && authorityAllowed) return;
  else if (name.toLowerCase() === 'host') place.error(`invalid header "${name}": cannot set Host header`);
  else if (name.startsWith(':')) place.error(`invalid header "${name}": header cannot have ":" prefix`);
}
