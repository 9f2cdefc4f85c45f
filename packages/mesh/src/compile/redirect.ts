// HTTPRedirect and HTTPDirectResponse [istio route.go ApplyRedirect, ApplyDirectResponse].
import {
  RedirectAction_RedirectResponseCode as Code,
  type DirectResponseActionSchema,
  type RedirectActionSchema,
} from '@varka/xds/gen/envoy/config/route/v3/route_components_pb.ts';
import type { HttpRedirect, HttpRoute } from '../config/istio-types.ts';
import type { Init } from './messages.ts';

const RESPONSE_CODES: Readonly<Record<number, Code>> = {
  301: Code.MOVED_PERMANENTLY,
  302: Code.FOUND,
  303: Code.SEE_OTHER,
  307: Code.TEMPORARY_REDIRECT,
  308: Code.PERMANENT_REDIRECT,
};

/** Written before a redirect's uri, it asks for only the matched prefix to be replaced. */
const PREFIX_OPERATOR = '%PREFIX()%';

export function redirectAction(redirect: HttpRedirect, listenPort: number): Init<typeof RedirectActionSchema> {
  const { uri } = redirect;
  return {
    responseCode: RESPONSE_CODES[redirect.redirectCode ?? 301] ?? Code.MOVED_PERMANENTLY,
    hostRedirect: redirect.authority ?? '',
    portRedirect: redirect.port ?? derivedPort(redirect, listenPort),
    ...(redirect.scheme ? { schemeRewriteSpecifier: { case: 'schemeRedirect', value: redirect.scheme } } : {}),
    ...(uri ? { pathRewriteSpecifier: pathRewrite(uri) } : {}),
  };
}

function pathRewrite(uri: string): NonNullable<Init<typeof RedirectActionSchema>['pathRewriteSpecifier']> {
  return uri.startsWith(PREFIX_OPERATOR)
    ? { case: 'prefixRewrite', value: uri.slice(PREFIX_OPERATOR.length) }
    : { case: 'pathRedirect', value: uri };
}

/** 0 leaves the port away. A scheme's own port need not be named. */
function derivedPort(redirect: HttpRedirect, listenPort: number): number {
  if (redirect.derivePort !== 'FROM_REQUEST_PORT') return 0;
  const ownPort = (redirect.scheme ?? 'http') === 'https' ? 443 : 80;
  return listenPort === ownPort ? 0 : listenPort;
}

export function directResponse(
  response: NonNullable<HttpRoute['directResponse']>,
): Init<typeof DirectResponseActionSchema> {
  const { status, body } = response;
  if (body?.string !== undefined) return { status, body: { specifier: { case: 'inlineString', value: body.string } } };
  if (body?.bytes !== undefined)
    return {
      status,
      body: { specifier: { case: 'inlineBytes', value: new Uint8Array(Buffer.from(body.bytes, 'base64')) } },
    };
  return { status };
}
