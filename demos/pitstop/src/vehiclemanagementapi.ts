// The vehicle API.
import { serveApi } from './shared/api.ts';
import { Database } from './shared/database.ts';
import { LICENSE_NUMBER, readFields } from './shared/fields.ts';
import { HttpError } from './shared/http-body.ts';
import { Log } from './shared/log.ts';
import { OUTBOX_TABLE, Outbox } from './shared/outbox.ts';

const RULES = {
  licenseNumber: { label: 'license number', ...LICENSE_NUMBER },
  brand: { label: 'brand' },
  type: { label: 'type' },
  ownerId: { label: 'owner', maxLength: 100 },
} as const;

interface VehicleRow {
  license_number: string;
  brand: string;
  type: string;
  owner_id: string;
}

type Vehicle = Record<keyof typeof RULES, string>;

const COLUMNS = 'license_number, brand, type, owner_id';

const vehicleOf = (row: VehicleRow): Vehicle => ({
  licenseNumber: row.license_number,
  brand: row.brand,
  type: row.type,
  ownerId: row.owner_id,
});

const log = new Log('VehicleManagementAPI');
const database = await Database.open(
  'VehicleManagement',
  [
    `CREATE TABLE IF NOT EXISTS vehicle (
      license_number TEXT PRIMARY KEY, brand TEXT NOT NULL, type TEXT NOT NULL, owner_id TEXT NOT NULL)`,
    OUTBOX_TABLE,
  ],
  log,
);
const outbox = new Outbox(database, log);
outbox.publish();

async function find(licenseNumber: string): Promise<Vehicle | undefined> {
  const [row] = await database.query<VehicleRow>(`SELECT ${COLUMNS} FROM vehicle WHERE license_number = $1`, [
    licenseNumber,
  ]);
  return row && vehicleOf(row);
}

/** False when there is a vehicle of that license number. */
async function insert(vehicle: Vehicle): Promise<boolean> {
  return database.transaction(async (queries) => {
    const { licenseNumber, brand, type, ownerId } = vehicle;
    const inserted = await queries.query(
      `INSERT INTO vehicle (${COLUMNS}) VALUES ($1, $2, $3, $4)
       ON CONFLICT (license_number) DO NOTHING RETURNING license_number`,
      [licenseNumber, brand, type, ownerId],
    );
    if (inserted.length === 0) return false;
    await outbox.write(queries, 'VehicleRegistered', vehicle);
    return true;
  });
}

serveApi({
  title: 'VehicleManagement API',
  version: '1.0',
  standardPort: 5000,
  log,
  isHealthy: () => database.isReachable(),
  routes: [
    {
      method: 'GET',
      path: '/api/vehicles',
      summary: 'All vehicles.',
      async handle() {
        const rows = await database.query<VehicleRow>(
          `SELECT ${COLUMNS} FROM vehicle ORDER BY brand, type, license_number`,
        );
        return { status: 200, body: rows.map(vehicleOf) };
      },
    },
    {
      method: 'GET',
      path: '/api/vehicles/{licenseNumber}',
      summary: 'One vehicle, or 404.',
      async handle(request) {
        const vehicle = await find(request.parameter('licenseNumber'));
        return vehicle === undefined ? { status: 404 } : { status: 200, body: vehicle };
      },
    },
    {
      method: 'POST',
      path: '/api/vehicles',
      summary: 'Registers a vehicle: 201, 400 when a field is not valid, 409 when the license number is taken.',
      async handle(request) {
        const vehicle = readFields(RULES, await request.json());
        if (await insert(vehicle)) {
          log.information('Registered vehicle {LicenseNumber}', { LicenseNumber: vehicle.licenseNumber });
          outbox.publish();
        } else if (JSON.stringify(await find(vehicle.licenseNumber)) !== JSON.stringify(vehicle)) {
          throw new HttpError(409, { errorMessage: `Vehicle ${vehicle.licenseNumber} is registered already.` });
        }
        const location = `/api/vehicles/${encodeURIComponent(vehicle.licenseNumber)}`;
        return { status: 201, body: vehicle, location };
      },
    },
  ],
});
