// route.v3.RedirectAction: the status and the Location of the answer (Envoy: Http::Utility::newUri).
import {
  RedirectAction_RedirectResponseCode as Code,
  type RedirectAction,
} from '@varka/xds/gen/envoy/config/route/v3/route_components_pb.ts';
import { type PathMatch, pathLength } from './path-match.ts';
import { compilePathRewrite } from './path-rewrite.ts';
import type { Problems } from './problems.ts';
import type { RequestView } from './request-view.ts';

export interface Redirect {
  readonly status: number;
  location(request: RequestView): string;
}

const STATUS: Readonly<Record<number, number>> = {
  [Code.MOVED_PERMANENTLY]: 301,
  [Code.FOUND]: 302,
  [Code.SEE_OTHER]: 303,
  [Code.TEMPORARY_REDIRECT]: 307,
  [Code.PERMANENT_REDIRECT]: 308,
};

/** The request's host, less a port that the new scheme or port makes wrong. */
function requestHost(request: RequestView, scheme: string, newPort: string): string {
  const host = request.authority;
  const bracket = host.startsWith('[') ? host.lastIndexOf(']:') : -1;
  const colon = host.startsWith('[') ? (bracket === -1 ? -1 : bracket + 1) : host.lastIndexOf(':');
  if (colon === -1) return host;
  const port = host.slice(colon);
  const protocol = request.header('x-forwarded-proto') ?? request.scheme;
  const leaves =
    scheme !== protocol && ((protocol === 'https' && port === ':443') || (protocol === 'http' && port === ':80'));
  return newPort !== '' || leaves ? host.slice(0, colon) : host;
}

export function compileRedirect(action: RedirectAction, match: PathMatch, problems: Problems): Redirect | undefined {
  const status = STATUS[action.responseCode];
  if (status === undefined) {
    problems.add(`response_code ${action.responseCode} is not known`);
    return undefined;
  }
  const scheme =
    action.schemeRewriteSpecifier.case === 'schemeRedirect'
      ? action.schemeRewriteSpecifier.value
      : action.schemeRewriteSpecifier.value === true
        ? 'https'
        : '';
  const port = action.portRedirect === 0 ? '' : `:${action.portRedirect}`;
  const newPath = compileNewPath(action, match, problems);
  return {
    status,
    location(request) {
      const finalScheme = scheme === '' ? request.scheme : scheme;
      const host = action.hostRedirect === '' ? requestHost(request, finalScheme, port) : action.hostRedirect;
      return `${finalScheme}://${host}${port}${newPath(request.path)}`;
    },
  };
}

function compileNewPath(action: RedirectAction, match: PathMatch, problems: Problems): (path: string) => string {
  const specifier = action.pathRewriteSpecifier;
  const strip = action.stripQuery;
  if (specifier.case === 'pathRedirect' && specifier.value !== '') {
    const target = specifier.value;
    // A query in path_redirect wins over the request's and is not stripped (RedirectAction.path_redirect).
    if (strip || target.includes('?')) return () => target;
    return (path) => {
      const question = path.indexOf('?');
      return question === -1 ? target : target + path.slice(question);
    };
  }
  const rewrite = compilePathRewrite(
    specifier.case === 'prefixRewrite' ? specifier.value : '',
    specifier.case === 'regexRewrite' ? specifier.value : undefined,
    match,
    problems,
  );
  return (path) => {
    const rewritten = rewrite === undefined ? path : rewrite(path, pathLength(path));
    return strip ? rewritten.slice(0, pathLength(rewritten)) : rewritten;
  };
}
