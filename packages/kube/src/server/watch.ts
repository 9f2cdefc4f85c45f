// A watch: one line of JSON for every change, until the client goes or the time is up.
import { randomInt } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { apiVersionOf } from '../kinds/kind.ts';
import { resourceOf } from '../kinds/row.ts';
import type { KubeObject } from '../object.ts';
import { StatusError } from '../status-error.ts';
import type { StoreEvent } from '../store/store.ts';
import { RevisionCompacted } from '../store/store-error.ts';
import { inVersion, type ServerContext, type Target } from './context.ts';
import type { Wanted } from './media-type.ts';
import { predicateOf, revisionOf, tooNew } from './reader.ts';
import type { Predicate } from './selectors.ts';
import { includeObject, partialMetadata, table } from './table.ts';

/** Kubernetes ends watches after 30 to 60 minutes unless told, so that clients spread over servers. */
const DEFAULT_SECONDS = { from: 1800, below: 3600 } as const;
const BOOKMARK_MS = 60_000;
/** A client that falls this far behind is cut off; it lists again, which costs less than remembering for it. */
const BACKLOG_LIMIT = 16 * 1024 * 1024;

type Change = 'ADDED' | 'MODIFIED' | 'DELETED';

/** Starts the watch and answers the request; returns when it has ended. */
export function watch(
  context: ServerContext,
  target: Target,
  query: URLSearchParams,
  form: Wanted,
  response: ServerResponse,
): Promise<void> {
  const { row, version, namespace } = target;
  const { store } = context;
  const resource = resourceOf(row);
  const matches = predicateOf(target, query);
  const start = startOf(query);
  const bookmarks = query.get('allowWatchBookmarks') === 'true' || query.get('allowWatchBookmarks') === '1';
  const milliseconds = secondsOf(query) * 1000;
  const include = includeObject(query.get('includeObject'));
  if (start.revision !== undefined && start.revision > store.revision) throw tooNew(start.revision, store.revision);

  const shaped = (object: KubeObject): KubeObject => {
    const own = inVersion(object, row, version);
    if (form.as === 'Table')
      return table(row, [own], { resourceVersion: own.metadata?.resourceVersion ?? '' }, include, context.now());
    return form.as === undefined ? own : partialMetadata(own);
  };
  const bookmark = (annotations?: Record<string, string>): KubeObject => {
    const metadata = { resourceVersion: String(store.revision), ...(annotations === undefined ? {} : { annotations }) };
    const own = { kind: row.kind, apiVersion: apiVersionOf({ group: row.group, version }), metadata };
    return form.as === 'Table'
      ? table(row, [], { resourceVersion: String(store.revision) }, 'None', context.now())
      : own;
  };

  return new Promise((resolve) => {
    let stop: (() => void) | undefined;
    let ended = false;
    // What there is at the beginning is sent in one go, however much; only what comes after it can be too much.
    let limit = Number.POSITIVE_INFINITY;
    const end = () => {
      if (ended) return;
      ended = true;
      stop?.();
      clearTimeout(deadline);
      clearInterval(bookmarkTimer);
      response.end();
      resolve();
    };
    const send = (type: Change | 'BOOKMARK' | 'ERROR', object: unknown) => {
      if (ended) return;
      response.write(`${JSON.stringify({ type, object })}\n`);
      if (response.writableLength > limit) {
        context.log.warn('a watch was cut off because its client does not keep up', {
          resource,
          bytes: response.writableLength,
        });
        response.destroy();
        end();
      }
    };
    const deadline = setTimeout(end, milliseconds);
    const bookmarkTimer = bookmarks ? setInterval(() => send('BOOKMARK', bookmark()), BOOKMARK_MS) : undefined;
    response.on('close', end);
    response.writeHead(200, { 'content-type': 'application/json', 'cache-control': 'no-cache, private' });
    response.flushHeaders();

    const onEvent = (event: StoreEvent) => {
      if (namespace !== undefined && event.object.metadata?.namespace !== namespace) return;
      const change = seenAs(event, matches);
      if (change !== undefined) send(change.type, shaped(change.object));
    };
    try {
      if (start.initial)
        for (const object of store.list(resource, namespace).items.filter(matches)) send('ADDED', shaped(object));
      if (start.endMark) send('BOOKMARK', bookmark({ 'k8s.io/initial-events-end': 'true' }));
      stop = store.watch(resource, start.initial ? store.revision : (start.revision ?? store.revision), onEvent);
      limit = response.writableLength + BACKLOG_LIMIT;
    } catch (error) {
      if (!(error instanceof RevisionCompacted)) throw error;
      send('ERROR', StatusError.expired(`too old resource version: ${start.revision} (${error.oldest})`).status);
      end();
    }
    if (ended) stop?.();
  });
}

/** A change as a watcher with a selector sees it: leaving the selection looks like a deletion. */
function seenAs(event: StoreEvent, matches: Predicate): { type: Change; object: KubeObject } | undefined {
  const now = event.type !== 'DELETED' && matches(event.object);
  const before = event.previous !== undefined && matches(event.previous);
  if (now) return { type: before ? 'MODIFIED' : 'ADDED', object: event.object };
  if (!before || event.previous === undefined) return undefined;
  if (event.type === 'DELETED') return { type: 'DELETED', object: event.object };
  const metadata = { ...event.previous.metadata, resourceVersion: String(event.revision) };
  return { type: 'DELETED', object: { ...event.previous, metadata } };
}

interface Start {
  readonly revision?: number;
  /** First everything there is, as ADDED. */
  readonly initial: boolean;
  /** Then a bookmark that says so (the streaming list of KEP-3157). */
  readonly endMark: boolean;
}

function startOf(query: URLSearchParams): Start {
  const asked = query.get('resourceVersion') ?? '';
  const streaming = query.get('sendInitialEvents') === 'true';
  if (streaming) return { initial: true, endMark: true };
  if (asked === '' || asked === '0') return { initial: query.get('sendInitialEvents') !== 'false', endMark: false };
  return { revision: revisionOf(asked), initial: false, endMark: false };
}

function secondsOf(query: URLSearchParams): number {
  const asked = Number(query.get('timeoutSeconds') ?? 0);
  return Number.isFinite(asked) && asked > 0
    ? Math.min(asked, 86_400)
    : randomInt(DEFAULT_SECONDS.from, DEFAULT_SECONDS.below);
}
