// The three APIs as the web app sees them. An answer that says no is a value; no proper answer is an error.
import { send } from '@varka/demo-kit/call.ts';
import { addressOf } from '../shared/addresses.ts';

export interface Customer {
  readonly customerId: string;
  readonly name: string;
  readonly address: string;
  readonly postalCode: string;
  readonly city: string;
  readonly telephoneNumber: string;
  readonly emailAddress: string;
  /** From version 2.0 of the API on: 1 bronze, 2 silver, 3 gold. */
  readonly loyaltyLevel?: number;
}

export interface Vehicle {
  readonly licenseNumber: string;
  readonly brand: string;
  readonly type: string;
  readonly ownerId: string;
}

export interface Job {
  readonly id: string;
  readonly startTime: string;
  readonly endTime: string;
  readonly vehicle: { readonly licenseNumber: string; readonly brand: string; readonly type: string };
  readonly customer: { readonly customerId: string; readonly name: string; readonly telephoneNumber: string };
  readonly description: string;
  readonly actualStartTime: string | null;
  readonly actualEndTime: string | null;
  readonly notes: string | null;
  readonly status: 'Planned' | 'Completed';
}

export interface NewJob {
  readonly jobId: string;
  readonly startTime: string;
  readonly endTime: string;
  readonly customerInfo: { readonly id: string; readonly name: string; readonly telephoneNumber: string };
  readonly vehicleInfo: { readonly licenseNumber: string; readonly brand: string; readonly type: string };
  readonly description: string;
}

/** What an API has against a request: in words, and where it names fields by field. */
export interface Refusal {
  readonly errorMessage: string;
  readonly errors?: Readonly<Record<string, string>>;
}

const TIMEOUT_MS = 10_000;

class ApiClient {
  readonly #name: string;
  readonly #base: string;

  constructor(name: string, standardPort: number) {
    const { host, port } = addressOf(name, standardPort);
    this.#name = name;
    this.#base = `http://${host}:${port}/api`;
  }

  /** Undefined for 404. */
  async get<T>(path: string): Promise<T | undefined> {
    const { status, body } = await send(this.#base + path, { timeoutMs: TIMEOUT_MS });
    if (status === 404) return undefined;
    if (status === 200) return JSON.parse(body) as T;
    throw new Error(`${this.#name} answered ${status} to GET ${path}`);
  }

  /** Undefined when it was done. */
  async change(method: 'POST' | 'PUT', path: string, value: unknown): Promise<Refusal | undefined> {
    const { status, body } = await send(this.#base + path, {
      method,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(value),
      timeoutMs: TIMEOUT_MS,
    });
    if (status === 200 || status === 201) return undefined;
    if (status === 400 || status === 409) return JSON.parse(body) as Refusal;
    throw new Error(`${this.#name} answered ${status} to ${method} ${path}`);
  }
}

const segment = encodeURIComponent;

const customerApi = new ApiClient('customermanagementapi', 5100);
export const customers = {
  all: async () => (await customerApi.get<Customer[]>('/customers')) ?? [],
  one: (id: string) => customerApi.get<Customer>(`/customers/${segment(id)}`),
  register: (customer: Customer) => customerApi.change('POST', '/customers', customer),
};

const vehicleApi = new ApiClient('vehiclemanagementapi', 5000);
export const vehicles = {
  all: async () => (await vehicleApi.get<Vehicle[]>('/vehicles')) ?? [],
  one: (licenseNumber: string) => vehicleApi.get<Vehicle>(`/vehicles/${segment(licenseNumber)}`),
  register: (vehicle: Vehicle) => vehicleApi.change('POST', '/vehicles', vehicle),
};

const workshopApi = new ApiClient('workshopmanagementapi', 5200);
const jobPath = (date: string, jobId: string) => `/workshopplanning/${date}/jobs/${segment(jobId)}`;
export const workshop = {
  jobs: async (date: string) => (await workshopApi.get<{ jobs: Job[] }>(`/workshopplanning/${date}`))?.jobs ?? [],
  job: (date: string, jobId: string) => workshopApi.get<Job>(jobPath(date, jobId)),
  plan: (date: string, job: NewJob) => workshopApi.change('POST', `/workshopplanning/${date}/jobs`, job),
  finish: (date: string, jobId: string, report: { actualStartTime: string; actualEndTime: string; notes: string }) =>
    workshopApi.change('PUT', `${jobPath(date, jobId)}/finish`, report),
  vehicles: async () => (await workshopApi.get<Vehicle[]>('/refdata/vehicles')) ?? [],
  vehicle: (licenseNumber: string) => workshopApi.get<Vehicle>(`/refdata/vehicles/${segment(licenseNumber)}`),
  customer: (id: string) =>
    workshopApi.get<{ customerId: string; name: string; telephoneNumber: string }>(`/refdata/customers/${segment(id)}`),
};
