// What the workshop knows of customers, vehicles and jobs: the WorkshopManagement database, filled from events.
import { Database } from '../shared/database.ts';
import type { PitstopEvent } from '../shared/events.ts';
import type { Log } from '../shared/log.ts';

export interface CustomerInfo {
  readonly customerId: string;
  readonly name: string;
  readonly telephoneNumber: string;
}

export interface VehicleInfo {
  readonly licenseNumber: string;
  readonly brand: string;
  readonly type: string;
  readonly ownerId: string;
}

const CUSTOMER = `SELECT customer_id AS "customerId", name, telephone_number AS "telephoneNumber" FROM customer`;
const VEHICLE = `SELECT license_number AS "licenseNumber", brand, type, owner_id AS "ownerId" FROM vehicle`;

export class ReadModel {
  readonly #database: Database;

  private constructor(database: Database) {
    this.#database = database;
  }

  static async open(log: Log): Promise<ReadModel> {
    const database = await Database.open(
      'WorkshopManagement',
      [
        `CREATE TABLE IF NOT EXISTS customer (
          customer_id TEXT PRIMARY KEY, name TEXT NOT NULL, telephone_number TEXT NOT NULL)`,
        `CREATE TABLE IF NOT EXISTS vehicle (
          license_number TEXT PRIMARY KEY, brand TEXT NOT NULL, type TEXT NOT NULL, owner_id TEXT NOT NULL)`,
        `CREATE TABLE IF NOT EXISTS maintenance_job (
          job_id TEXT PRIMARY KEY, start_time TEXT NOT NULL, end_time TEXT NOT NULL, customer_id TEXT NOT NULL,
          license_number TEXT NOT NULL, description TEXT NOT NULL, actual_start_time TEXT, actual_end_time TEXT, notes TEXT)`,
      ],
      log,
    );
    return new ReadModel(database);
  }

  isReachable(): Promise<boolean> {
    return this.#database.isReachable();
  }

  customers(): Promise<CustomerInfo[]> {
    return this.#database.query(`${CUSTOMER} ORDER BY name, customer_id`);
  }

  async customer(customerId: string): Promise<CustomerInfo | undefined> {
    return (await this.#database.query<CustomerInfo>(`${CUSTOMER} WHERE customer_id = $1`, [customerId]))[0];
  }

  vehicles(): Promise<VehicleInfo[]> {
    return this.#database.query(`${VEHICLE} ORDER BY brand, type, license_number`);
  }

  async vehicle(licenseNumber: string): Promise<VehicleInfo | undefined> {
    return (await this.#database.query<VehicleInfo>(`${VEHICLE} WHERE license_number = $1`, [licenseNumber]))[0];
  }

  /** The same event again changes nothing. */
  async apply(event: PitstopEvent): Promise<void> {
    switch (event.messageType) {
      case 'CustomerRegistered':
        await this.#database.query(
          'INSERT INTO customer (customer_id, name, telephone_number) VALUES ($1, $2, $3) ON CONFLICT (customer_id) DO NOTHING',
          [event.customerId, event.name, event.telephoneNumber],
        );
        break;
      case 'VehicleRegistered':
        await this.#database.query(
          `INSERT INTO vehicle (license_number, brand, type, owner_id) VALUES ($1, $2, $3, $4)
           ON CONFLICT (license_number) DO NOTHING`,
          [event.licenseNumber, event.brand, event.type, event.ownerId],
        );
        break;
      case 'MaintenanceJobPlanned':
        await this.#database.query(
          `INSERT INTO maintenance_job (job_id, start_time, end_time, customer_id, license_number, description)
           VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (job_id) DO NOTHING`,
          [
            event.jobId,
            event.startTime,
            event.endTime,
            event.customerInfo.id,
            event.vehicleInfo.licenseNumber,
            event.description,
          ],
        );
        break;
      case 'MaintenanceJobFinished':
        await this.#database.query(
          'UPDATE maintenance_job SET actual_start_time = $2, actual_end_time = $3, notes = $4 WHERE job_id = $1',
          [event.jobId, event.startTime, event.endTime, event.notes],
        );
        break;
      case 'WorkshopPlanningCreated':
      case 'DayHasPassed':
        break;
    }
  }
}
