// accesslog.v3.AccessLog: loggers that write a text line to a file or to the standard streams.

import { typeName, unpack } from '@varka/decide/any.ts';
import type { Problems } from '@varka/decide/problems.ts';
import type { AccessLog } from '@varka/xds/gen/envoy/config/accesslog/v3/accesslog_pb.ts';
import type { SubstitutionFormatString } from '@varka/xds/gen/envoy/config/core/v3/substitution_format_string_pb.ts';
import {
  type FileAccessLog,
  FileAccessLogSchema,
} from '@varka/xds/gen/envoy/extensions/access_loggers/file/v3/file_pb.ts';
import type { AccessLogger } from '../observe/access-log.ts';
import { compileJsonLogger, compileTextLogger, type JsonFormat } from '../observe/access-log-format.ts';
import type { LogSink } from '../observe/log-sink.ts';

/** Where lines for a path go; throws when it can't be opened. */
export type OpenLog = (path: string) => LogSink;

/** What Envoy writes when no format is given (docs: "Default format string"). */
const DEFAULT_FORMAT =
  '[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% ' +
  '%BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" ' +
  '"%REQ(USER-AGENT)%" "%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%"\n';

type Format =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'json'; readonly fields: Readonly<Record<string, JsonFormat>> };

export function compileAccessLogs(
  logs: readonly AccessLog[],
  open: OpenLog,
  problems: Problems,
): readonly AccessLogger[] {
  return logs.flatMap((log, i) => compileAccessLog(log, open, problems.at(`access_log[${i}]`)) ?? []);
}

function compileAccessLog(log: AccessLog, open: OpenLog, problems: Problems): AccessLogger | undefined {
  problems.unsupported('filter', log.filter !== undefined);
  const any = log.configType.value;
  if (any === undefined || typeName(any) !== FileAccessLogSchema.typeName) {
    problems.add(any === undefined ? 'typed_config is missing' : `${typeName(any)} is not supported`);
    return undefined;
  }
  const file = unpack(any, FileAccessLogSchema, problems);
  if (file === undefined) return undefined;
  if (file.path === '') problems.add('path is empty');
  const format = readFormat(file, problems);
  if (format === undefined) return undefined;
  try {
    const sink = open(file.path);
    return format.kind === 'text' ? compileTextLogger(format.text, sink) : compileJsonLogger(format.fields, sink);
  } catch (error) {
    problems.add((error as Error).message);
    return undefined;
  }
}

function readFormat(file: FileAccessLog, problems: Problems): Format | undefined {
  const format = file.accessLogFormat;
  switch (format.case) {
    case undefined:
      return { kind: 'text', text: DEFAULT_FORMAT };
    case 'format':
      return { kind: 'text', text: format.value };
    case 'jsonFormat':
    case 'typedJsonFormat':
      return { kind: 'json', fields: format.value };
    case 'logFormat':
      return readSubstitution(format.value, problems.at('log_format'));
  }
}

function readSubstitution(format: SubstitutionFormatString, problems: Problems): Format | undefined {
  problems.unsupported('formatters', format.formatters.length > 0);
  problems.unsupported('omit_empty_values', format.omitEmptyValues);
  const specifier = format.format;
  if (specifier.case === 'textFormat') return { kind: 'text', text: specifier.value };
  if (specifier.case === 'jsonFormat') return { kind: 'json', fields: specifier.value };
  if (specifier.case === 'textFormatSource' && specifier.value.specifier.case === 'inlineString')
    return { kind: 'text', text: specifier.value.specifier.value };
  problems.add('text_format, text_format_source.inline_string or json_format is needed');
  return undefined;
}
