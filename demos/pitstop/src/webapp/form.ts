// Form fields with their labels, what was typed, and what is wrong with it.
import { type Content, type Html, html } from '../shared/html.ts';

/** What was typed so far, and the problems by field; `problem` is of the form as a whole. */
export interface FormState {
  readonly values: Readonly<Record<string, string>>;
  readonly errors: Readonly<Record<string, string | undefined>>;
  readonly problem?: string | undefined;
}

export const EMPTY_FORM: FormState = { values: {}, errors: {} };

export interface Field {
  readonly name: string;
  readonly label: string;
  readonly type?: 'text' | 'tel' | 'email' | 'date' | 'time';
  readonly autocomplete?: string;
  readonly hint?: string;
  /** Value and text of each choice: makes it a drop-down list. */
  readonly choices?: readonly (readonly [string, string])[];
  /** Makes it a text of several lines. */
  readonly lines?: number;
  readonly optional?: true;
}

export function formOf(
  action: string,
  submit: string,
  cancel: string,
  fields: readonly Field[],
  state: FormState,
): Html {
  const wrong = Object.values(state.errors).filter((error) => error !== undefined).length;
  const summary = state.problem ?? (wrong > 0 ? 'Please correct what is marked below.' : undefined);
  return html`<form class="card form" method="post" action="${action}" novalidate>
    ${summary === undefined ? '' : html`<p class="alert" role="alert">${summary}</p>`}
    ${fields.map((field) => fieldOf(field, state))}
    <div class="actions"><button class="button" type="submit">${submit}</button><a class="button quiet" href="${cancel}">Cancel</a></div>
  </form>`;
}

function fieldOf(field: Field, { values, errors }: FormState): Html {
  const { name, label, hint, optional } = field;
  const error = errors[name];
  const notes = [hint === undefined ? '' : `${name}-hint`, error === undefined ? '' : `${name}-error`].join(' ').trim();
  const described = notes === '' ? '' : html` aria-describedby="${notes}"`;
  const invalid = error === undefined ? '' : html` aria-invalid="true"`;
  const attributes = html`id="${name}" name="${name}"${optional ? '' : html` required`}${described}${invalid}`;
  return html`<div class="field${error === undefined ? '' : ' wrong'}">
    <label for="${name}">${label}${optional ? html` <span class="muted">(optional)</span>` : ''}</label>
    ${controlOf(field, attributes, values[name] ?? '')}
    ${hint === undefined ? '' : html`<p class="hint" id="${name}-hint">${hint}</p>`}
    ${error === undefined ? '' : html`<p class="error" id="${name}-error">${error}</p>`}
  </div>`;
}

function controlOf(
  { type = 'text', autocomplete = 'off', choices, lines }: Field,
  attributes: Html,
  value: string,
): Content {
  if (choices !== undefined) {
    const options = choices.map(
      ([choice, text]) => html`<option value="${choice}"${choice === value ? html` selected` : ''}>${text}</option>`,
    );
    return html`<select ${attributes}><option value="">Choose…</option>${options}</select>`;
  }
  if (lines !== undefined) return html`<textarea ${attributes} rows="${lines}">${value}</textarea>`;
  return html`<input ${attributes} type="${type}" autocomplete="${autocomplete}" value="${value}">`;
}
