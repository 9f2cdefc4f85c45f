// route.v3.DirectResponseAction: an answer that the proxy gives by itself.
import type { DataSource } from '@varka/xds/gen/envoy/config/core/v3/base_pb.ts';
import type { DirectResponseAction } from '@varka/xds/gen/envoy/config/route/v3/route_components_pb.ts';
import type { Problems } from './problems.ts';

export interface DirectResponse {
  readonly status: number;
  readonly body: string;
}

function readBody(source: DataSource | undefined, problems: Problems): string {
  const specifier = source?.specifier ?? { case: undefined };
  switch (specifier.case) {
    case undefined:
      return '';
    case 'inlineString':
      return specifier.value;
    case 'inlineBytes':
      return new TextDecoder().decode(specifier.value);
    default:
      problems.at('body').add(`${specifier.case} is not supported: give the body inline`);
      return '';
  }
}

export function compileDirectResponse(
  action: DirectResponseAction,
  maxBytes: number,
  problems: Problems,
): DirectResponse {
  if (action.status < 200 || action.status > 599) problems.add(`status ${action.status} is not within 200 to 599`);
  const body = readBody(action.body, problems);
  const size = new TextEncoder().encode(body).length;
  // RouteConfiguration.max_direct_response_body_size_bytes: the body is held in memory for every route.
  if (size > maxBytes) problems.at('body').add(`response body size is ${size} bytes; maximum is ${maxBytes}`);
  return { status: action.status, body };
}
