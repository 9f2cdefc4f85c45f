// Reason phrases of the status codes (RFC 9110 §15), for messages of our own.
import { STATUS_CODES } from 'node:http';

export function reasonPhrase(status: number): string {
  return STATUS_CODES[status] ?? 'Unknown';
}
