// The pages of the vehicle module.
import { LICENSE_NUMBER, problemsOf } from '../shared/fields.ts';
import { type Html, html } from '../shared/html.ts';
import { notFound, type WebModule } from './actions.ts';
import { type Customer, customers, type Vehicle, vehicles } from './clients.ts';
import { EMPTY_FORM, type Field, type FormState, formOf } from './form.ts';
import { details, emptyState, heading, layout } from './layout.ts';

const RULES = {
  licenseNumber: { label: 'license number', ...LICENSE_NUMBER },
  brand: { label: 'brand' },
  type: { label: 'type' },
  ownerId: { label: 'owner' },
} as const;

function list(all: readonly Vehicle[]): Html {
  const rows = all.map(
    ({ licenseNumber, brand, type }) => html`<tr>
      <th scope="row"><a class="plate" href="/VehicleManagement/Details?licenseNumber=${encodeURIComponent(licenseNumber)}">${licenseNumber}</a></th>
      <td data-label="Brand">${brand}</td><td data-label="Type">${type}</td></tr>`,
  );
  const table = html`<div class="card"><table><thead><tr><th scope="col">License number</th><th scope="col">Brand</th>
    <th scope="col">Type</th></tr></thead><tbody>${rows}</tbody></table></div>`;
  return layout('Vehicles', 'vehicles', [
    heading('Vehicles', 'What our customers drive.', ['/VehicleManagement/New', 'Register vehicle']),
    all.length === 0 ? emptyState('No vehicles yet.', '/VehicleManagement/New', 'Register the first one') : table,
  ]);
}

function detailsPage({ licenseNumber, brand, type, ownerId }: Vehicle, owner: Customer | undefined): Html {
  const link = html`<a href="/CustomerManagement/Details/${encodeURIComponent(ownerId)}">${owner?.name ?? ownerId}</a>`;
  return layout(licenseNumber, 'vehicles', [
    heading(`${brand} ${type}`, 'Vehicle details'),
    details([
      ['License number', html`<span class="plate">${licenseNumber}</span>`],
      ['Brand', brand],
      ['Type', type],
      ['Owner', link],
    ]),
    html`<p><a href="/VehicleManagement">All vehicles</a></p>`,
  ]);
}

async function newPage(state: FormState): Promise<Html> {
  const owners = (await customers.all()).map(({ customerId, name, city }) => [customerId, `${name}, ${city}`] as const);
  const fields: readonly Field[] = [
    { name: 'licenseNumber', label: 'License number', hint: 'Three groups of letters or digits, like AB-12-CD.' },
    { name: 'brand', label: 'Brand' },
    { name: 'type', label: 'Type' },
    { name: 'ownerId', label: 'Owner', choices: owners },
  ];
  return layout('Register vehicle', 'vehicles', [
    heading('Register vehicle', 'Its owner must be registered as a customer.'),
    owners.length === 0
      ? emptyState('There is no customer yet who could own it.', '/CustomerManagement/New', 'Register a customer')
      : formOf('/VehicleManagement/Register', 'Register', '/VehicleManagement', fields, state),
  ]);
}

export const vehicleModule: WebModule = {
  module: 'vehicles',
  name: 'vehicle management',
  actions: {
    'GET index': async () => ({ page: list(await vehicles.all()) }),
    'GET details': async (request) => {
      const vehicle = await vehicles.one(request.query('licenseNumber') || request.query('id'));
      if (vehicle === undefined) return notFound('There is no such vehicle.', 'vehicles');
      return { page: detailsPage(vehicle, await customers.one(vehicle.ownerId)) };
    },
    'GET new': async () => ({ page: await newPage(EMPTY_FORM) }),
    'POST register': async ({ form }) => {
      const errors = problemsOf(RULES, form);
      if (Object.keys(errors).length > 0) return { page: await newPage({ values: form, errors }) };
      const { licenseNumber = '', brand = '', type = '', ownerId = '' } = form;
      const refusal = await vehicles.register({ licenseNumber: licenseNumber.toUpperCase(), brand, type, ownerId });
      if (refusal === undefined) return { redirect: '/VehicleManagement' };
      return { page: await newPage({ values: form, errors: refusal.errors ?? {}, problem: refusal.errorMessage }) };
    },
  },
};
