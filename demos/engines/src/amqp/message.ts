// A message as it was published.

export interface Message {
  readonly exchange: string;
  readonly key: string;
  /** Property flags and values, in the wire's own form. */
  readonly properties: Buffer;
  readonly body: Buffer;
  readonly persistent: boolean;
}

export function sizeOf({ properties, body }: Message): number {
  return properties.length + body.length;
}
