// Reads a request's body, within limits, and makes an object of it.
import type { IncomingMessage } from 'node:http';
import { type Document, isScalar, LineCounter, parseDocument, visit } from 'yaml';
import { StatusError } from '../status-error.ts';
import { jsonErrorOffset } from './json-place.ts';
import { parseMediaType } from './media-type.ts';
import { decodeProtobuf, PROTOBUF } from './protobuf.ts';

/** JSON or YAML; JSON is YAML. */
export const APPLY_PATCH = 'application/apply-patch+yaml';

/** Kubernetes' limit for a request body. */
export const BODY_LIMIT = 3 * 1024 * 1024;

/** Nothing real is nested deeper; what is would overflow the stack of whoever walks it. */
const DEPTH_LIMIT = 200;

export async function readBody(request: IncomingMessage): Promise<Buffer> {
  const declared = Number(request.headers['content-length'] ?? 0);
  if (declared > BODY_LIMIT) throw tooLarge();
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > BODY_LIMIT) throw tooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function tooLarge(): StatusError {
  return StatusError.tooLarge(`Request entity too large: limit is ${BODY_LIMIT}`);
}

/** Undefined for an empty body. */
export function decodeBody(bytes: Buffer, contentType: string | undefined): unknown {
  if (bytes.length === 0) return undefined;
  const { type } = parseMediaType(contentType ?? 'application/json');
  switch (type) {
    case '':
    case 'application/json':
    case 'application/json-patch+json':
    case 'application/merge-patch+json':
    case 'application/strategic-merge-patch+json':
      return shallowEnough(parseJson(bytes));
    case 'application/yaml':
    case APPLY_PATCH:
      return shallowEnough(parseYaml(bytes));
    case PROTOBUF:
      return decodeProtobuf(bytes);
    default:
      throw StatusError.unsupportedMediaType(
        `the body of the request was in an unknown format (${type}) - accepted media types include: application/json, application/yaml`,
      );
  }
}

function parseJson(bytes: Buffer): unknown {
  const text = utf8(bytes);
  try {
    return JSON.parse(text);
  } catch (error) {
    const before = text.slice(0, jsonErrorOffset(text)).split('\n');
    const place = `line ${before.length} column ${(before.at(-1)?.length ?? 0) + 1}`;
    // Without the engine's own idea of the place, and without the piece of text it quotes.
    const [detail] = String(error instanceof Error ? error.message : error).split(/, (?=["'.])| in JSON| at position/);
    throw StatusError.badRequest(`the request body is not valid JSON: ${detail}, ${place}`);
  }
}

function parseYaml(bytes: Buffer): unknown {
  const lines = new LineCounter();
  // The parser's own search for repeated keys compares each with each: minutes for a body within the limit.
  const document = parseDocument(utf8(bytes), { lineCounter: lines, prettyErrors: false, uniqueKeys: false });
  const problem = document.errors[0] ?? repeatedKey(document);
  if (problem !== undefined) {
    const { line, col } = lines.linePos(problem.pos[0]);
    throw StatusError.badRequest(`the request body is not valid YAML: ${problem.message}, line ${line} column ${col}`);
  }
  try {
    // Aliases may multiply a small text a thousandfold; the parser refuses beyond this.
    return document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    throw StatusError.badRequest(
      `the request body is not valid YAML: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

function repeatedKey(document: Document): { readonly message: string; readonly pos: readonly [number] } | undefined {
  let found: { message: string; pos: [number] } | undefined;
  visit(document, {
    Map(_, { items }) {
      const seen = new Set<unknown>();
      for (const { key } of items) {
        if (!isScalar(key)) continue;
        if (seen.has(key.value)) {
          found = { message: `the key ${JSON.stringify(key.value)} is there twice`, pos: [key.range?.[0] ?? 0] };
          return visit.BREAK;
        }
        seen.add(key.value);
      }
      return undefined;
    },
  });
  return found;
}

function utf8(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    throw StatusError.badRequest(
      `the request body is not UTF-8: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

function shallowEnough(value: unknown): unknown {
  let level: unknown[] = [value];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > DEPTH_LIMIT)
      throw StatusError.badRequest(`the request body is nested more than ${DEPTH_LIMIT} levels deep`);
    level = level.flatMap((one) => (typeof one === 'object' && one !== null ? Object.values(one) : []));
  }
  return value;
}
