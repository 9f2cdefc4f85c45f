// The ways a broker says no (AMQP 0-9-1 specification, 1.2), in RabbitMQ's words.

const NAMES = {
  311: 'CONTENT_TOO_LARGE',
  312: 'NO_ROUTE',
  403: 'ACCESS_REFUSED',
  404: 'NOT_FOUND',
  405: 'RESOURCE_LOCKED',
  406: 'PRECONDITION_FAILED',
  501: 'FRAME_ERROR',
  503: 'COMMAND_INVALID',
  504: 'CHANNEL_ERROR',
  505: 'UNEXPECTED_FRAME',
  506: 'RESOURCE_ERROR',
  530: 'NOT_ALLOWED',
  540: 'NOT_IMPLEMENTED',
  541: 'INTERNAL_ERROR',
} as const;

export type ReplyCode = keyof typeof NAMES;

/** These are the channel's own; all others end the connection. */
const CHANNEL_CODES: ReadonlySet<number> = new Set([311, 312, 403, 404, 405, 406]);

export class AmqpError extends Error {
  override readonly name = 'AmqpError';
  readonly code: ReplyCode;

  constructor(code: ReplyCode, text: string) {
    super(`${NAMES[code]} - ${text}`);
    this.code = code;
  }

  get endsConnection(): boolean {
    return !CHANNEL_CODES.has(this.code);
  }
}
