// The pages of the customer module.
import { randomUUID } from 'node:crypto';
import { EMAIL, problemsOf } from '../shared/fields.ts';
import { type Html, html } from '../shared/html.ts';
import { notFound, type WebModule } from './actions.ts';
import { type Customer, customers } from './clients.ts';
import { EMPTY_FORM, type Field, type FormState, formOf } from './form.ts';
import { details, emptyState, heading, layout } from './layout.ts';

const FIELDS: readonly Field[] = [
  { name: 'name', label: 'Name', autocomplete: 'name' },
  { name: 'address', label: 'Address', autocomplete: 'street-address' },
  { name: 'postalCode', label: 'Postal code', autocomplete: 'postal-code' },
  { name: 'city', label: 'City', autocomplete: 'address-level2' },
  { name: 'telephoneNumber', label: 'Telephone number', type: 'tel', autocomplete: 'tel' },
  { name: 'emailAddress', label: 'E-mail address', type: 'email', autocomplete: 'email' },
];

const RULES = {
  name: { label: 'name' },
  address: { label: 'address' },
  postalCode: { label: 'postal code', maxLength: 20 },
  city: { label: 'city' },
  telephoneNumber: { label: 'telephone number', maxLength: 40 },
  emailAddress: { label: 'e-mail address', ...EMAIL },
} as const;

const MEDALS: Readonly<Record<number, string>> = { 1: 'Bronze', 2: 'Silver', 3: 'Gold' };

function list(all: readonly Customer[]): Html {
  const rows = all.map(
    ({ customerId, name, city, telephoneNumber, emailAddress }) => html`<tr>
      <th scope="row"><a href="/CustomerManagement/Details/${encodeURIComponent(customerId)}">${name}</a></th>
      <td data-label="City">${city}</td><td data-label="Telephone">${telephoneNumber}</td><td data-label="E-mail">${emailAddress}</td></tr>`,
  );
  const table = html`<div class="card"><table><thead><tr><th scope="col">Name</th><th scope="col">City</th>
    <th scope="col">Telephone</th><th scope="col">E-mail</th></tr></thead><tbody>${rows}</tbody></table></div>`;
  return layout('Customers', 'customers', [
    heading('Customers', 'Who brings their cars to us.', ['/CustomerManagement/New', 'Register customer']),
    all.length === 0 ? emptyState('No customers yet.', '/CustomerManagement/New', 'Register the first one') : table,
  ]);
}

function detailsPage(customer: Customer): Html {
  const level = customer.loyaltyLevel;
  const medal =
    level === undefined
      ? undefined
      : html`<img class="medal" src="/images/${level}.png" alt="${MEDALS[level] ?? level}" width="48" height="60">`;
  return layout(customer.name, 'customers', [
    heading(customer.name, 'Customer details'),
    details([
      ['Name', customer.name],
      ['Address', customer.address],
      ['Postal code', customer.postalCode],
      ['City', customer.city],
      ['Telephone number', customer.telephoneNumber],
      ['E-mail address', customer.emailAddress],
      ...(medal === undefined ? [] : [['LoyaltyLevel', medal] as const]),
    ]),
    html`<p><a href="/CustomerManagement">All customers</a></p>`,
  ]);
}

const newPage = (state: FormState): Html =>
  layout('Register customer', 'customers', [
    heading('Register customer', 'All fields are needed: we call before we repair.'),
    formOf('/CustomerManagement/Register', 'Register', '/CustomerManagement', FIELDS, state),
  ]);

export const customerModule: WebModule = {
  module: 'customers',
  name: 'customer management',
  actions: {
    'GET index': async () => ({ page: list(await customers.all()) }),
    'GET details': async (request) => {
      const customer = await customers.one(request.query('id'));
      return customer === undefined
        ? notFound('There is no such customer.', 'customers')
        : { page: detailsPage(customer) };
    },
    'GET new': async () => ({ page: newPage({ ...EMPTY_FORM, values: {} }) }),
    'POST register': async ({ form }) => {
      const errors = problemsOf(RULES, form);
      if (Object.keys(errors).length > 0) return { page: newPage({ values: form, errors }) };
      const { name = '', address = '', postalCode = '', city = '', telephoneNumber = '', emailAddress = '' } = form;
      const customerId = randomUUID();
      const customer = { customerId, name, address, postalCode, city, telephoneNumber, emailAddress };
      const refusal = await customers.register(customer);
      if (refusal === undefined) return { redirect: '/CustomerManagement' };
      return { page: newPage({ values: form, errors: refusal.errors ?? {}, problem: refusal.errorMessage }) };
    },
  },
};
