// What a page action is given and what it gives, and how it goes on when an API fails.
import { type Html, html } from '../shared/html.ts';
import type { Log } from '../shared/log.ts';
import { layout, type Module } from './layout.ts';

/** Immediate ones: a passing fault of an API is never seen by the user. */
export const RETRIES = 5;

export interface ActionRequest {
  /** A part of the path behind the action's name, or else the parameter of that name in the query. */
  query(name: string): string;
  /** Fields of the posted form, trimmed. */
  readonly form: Readonly<Record<string, string>>;
}

export type ActionResult = { readonly page: Html; readonly status?: number } | { readonly redirect: string };

export type Action = (request: ActionRequest) => Promise<ActionResult>;

/** A module's actions by method and name: `GET index`, `POST register`. */
export type Actions = Readonly<Record<string, Action>>;

export interface WebModule {
  readonly module: Module;
  /** As in "the customer management module". */
  readonly name: string;
  readonly actions: Actions;
}

/** Runs `action`, up to five times more when it throws, and then gives the module's Offline page, with status 200. */
export async function resiliently(
  web: WebModule,
  action: Action,
  request: ActionRequest,
  log: Log,
): Promise<ActionResult> {
  for (let attempt = 1; attempt <= 1 + RETRIES; attempt++) {
    try {
      return await action(request);
    } catch (error) {
      log.error('The {Module} module failed, attempt {Attempt} of {Attempts}', error, {
        Module: web.name,
        Attempt: attempt,
        Attempts: 1 + RETRIES,
      });
    }
  }
  return { page: offline(web) };
}

function offline({ module, name }: WebModule): Html {
  return layout(
    'Offline',
    module,
    html`<div class="card notice" role="status"><h1>Offline</h1>
    <p>Unfortunately, the ${name} module is offline at the moment. Please try again soon.</p>
    <a class="button" href="">Try again</a></div>`,
  );
}

export function notFound(what: string, module?: Module): ActionResult {
  const content = html`<div class="card notice"><h1>Not found</h1><p>${what}</p><a class="button" href="/">Home</a></div>`;
  return { status: 404, page: layout('Not found', module, content) };
}
