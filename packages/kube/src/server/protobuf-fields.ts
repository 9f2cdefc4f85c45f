// How the fields of a protobuf message are described.

type Scalar = 'string' | 'base64' | 'bytes' | 'bool' | 'int' | 'time' | 'intOrString' | 'quantity';

type FieldType =
  | { readonly type: 'left out' }
  | { readonly type: Scalar }
  | { readonly type: 'map'; readonly values: { readonly type: Scalar } }
  /** `inline`: its fields belong to the message around it (Go's embedded structs). */
  | { readonly type: 'message'; readonly message: () => Message; readonly inline?: boolean };

export type Field = FieldType & {
  readonly name: string;
  readonly repeated?: boolean;
  /** A pointer in Go: its zero means something. Other fields' zeros mean "not set". */
  readonly pointer?: boolean;
};
export type Message = Readonly<Record<number, Field>>;

export const text = (name: string): Field => ({ name, type: 'string' });
export const texts = (name: string): Field => ({ name, type: 'string', repeated: true });
export const bool = (name: string): Field => ({ name, type: 'bool' });
export const int = (name: string): Field => ({ name, type: 'int' });
export const boolPointer = (name: string): Field => ({ name, type: 'bool', pointer: true });
export const intPointer = (name: string): Field => ({ name, type: 'int', pointer: true });
export const time = (name: string): Field => ({ name, type: 'time' });
export const intOrString = (name: string): Field => ({ name, type: 'intOrString' });
export const map = (name: string, values: Scalar = 'string'): Field => ({
  name,
  type: 'map',
  values: { type: values },
});
export const one = (name: string, message: Message): Field => ({ name, type: 'message', message: () => message });
export const many = (name: string, message: Message): Field => ({
  name,
  type: 'message',
  message: () => message,
  repeated: true,
});

export const inline = (message: Message): Field => ({
  name: '',
  type: 'message',
  message: () => message,
  inline: true,
});
