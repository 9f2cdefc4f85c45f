// google.protobuf.Any: a message of a type that only its URL tells.
import type { DescMessage, MessageShape } from '@bufbuild/protobuf';
import { type Any, anyUnpack } from '@bufbuild/protobuf/wkt';
import type { Problems } from './problems.ts';

/** The message's full name, which is what follows the last slash of a type URL. */
export function typeName(any: Any): string {
  return any.typeUrl.slice(any.typeUrl.lastIndexOf('/') + 1);
}

/** The Any as that message, or a problem saying that its bytes are not one. Call it when the type name matches. */
export function unpack<Desc extends DescMessage>(
  any: Any,
  schema: Desc,
  problems: Problems,
): MessageShape<Desc> | undefined {
  try {
    const message = anyUnpack(any, schema);
    if (message === undefined) problems.add(`expected ${schema.typeName}, found ${typeName(any)}`);
    return message;
  } catch (error) {
    problems.add(`${schema.typeName} cannot be decoded: ${(error as Error).message}`);
    return undefined;
  }
}
