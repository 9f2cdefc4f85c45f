// What an HTTP filter sees and may do. One file a filter, all of this shape; they run in the order that the listener's
// configuration gives, once the route is chosen and before the request goes upstream.
import type { FilterConfigs } from '@varka/decide/filter-configs.ts';
import type { HeaderEdit } from '@varka/decide/header-edits.ts';
import type { RequestView } from '@varka/decide/request-view.ts';
import type { Failure } from '../downstream/local-reply.ts';

/** `stop`: the filter has answered the request, or will let it go on with the hold's end. */
export type FilterVerdict = 'continue' | 'stop';

export interface HttpFilter {
  /** Its name in http_filters, by which routes configure it. */
  readonly name: string;
  onRequest(stream: FilterStream): FilterVerdict;
}

/** One request, as filters see it. */
export interface FilterStream {
  readonly view: RequestView;
  /** The cluster that the route chose; '' when it answers by itself. */
  readonly clusterName: string;
  /** What the route, its virtual host or weighted cluster say to filters. */
  readonly filters: FilterConfigs;
  /** A number in [0, 1). */
  draw(): number;
  /** Adds a response flag. */
  flag(flag: string): void;
  /** Edits of the response, whoever gives it; they come after the route's. */
  editResponse(edits: readonly HeaderEdit[]): void;
  /** Answers with 200, no body and the edits so far. */
  answer(details: string): void;
  fail(failure: Failure): void;
  /**
   * Keeps the request back for a time. `done` is called once: with `true` when the time is over and nobody has answered
   * meanwhile (the filter then answers, or returns `continue`), with `false` when the client has gone.
   */
  hold(ms: number, done: (over: boolean) => FilterVerdict): void;
}
