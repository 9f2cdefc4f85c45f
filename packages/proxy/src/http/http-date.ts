// The Date field's value, made once a second.

let second = -1;
let text = '';

/** IMF-fixdate of a time in milliseconds since the epoch (RFC 9110 §5.6.7). */
export function httpDate(now: number): string {
  const current = Math.floor(now / 1000);
  if (current !== second) {
    second = current;
    text = new Date(current * 1000).toUTCString();
  }
  return text;
}
