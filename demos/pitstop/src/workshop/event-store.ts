// The plannings as the events that made them, in the WorkshopManagementEventStore database.
import { Database, isDuplicate } from '../shared/database.ts';
import type { Log } from '../shared/log.ts';
import { OUTBOX_TABLE, Outbox } from '../shared/outbox.ts';
import { apply, type Decision, type Planning, type PlanningEvent } from './planning.ts';

/** Two writers can meet on the same day; the later one decides again on what the earlier one wrote. */
const ATTEMPTS = 5;

interface EventRow {
  version: number;
  message_type: PlanningEvent['type'];
  event_data: string;
}

export class EventStore {
  readonly #database: Database;
  readonly #outbox: Outbox;

  private constructor(database: Database, outbox: Outbox) {
    this.#database = database;
    this.#outbox = outbox;
  }

  static async open(log: Log): Promise<EventStore> {
    const database = await Database.open(
      'WorkshopManagementEventStore',
      [
        `CREATE TABLE IF NOT EXISTS workshop_planning_event (
          planning_date TEXT NOT NULL, version INTEGER NOT NULL, written_at TEXT NOT NULL,
          message_type TEXT NOT NULL, event_data TEXT NOT NULL, PRIMARY KEY (planning_date, version))`,
        OUTBOX_TABLE,
      ],
      log,
    );
    const outbox = new Outbox(database, log);
    outbox.publish();
    return new EventStore(database, outbox);
  }

  isReachable(): Promise<boolean> {
    return this.#database.isReachable();
  }

  async planning(date: string): Promise<Planning | undefined> {
    return (await this.#read(date)).planning;
  }

  /** Stores and publishes what `decide` says is to happen on `date`; returns what it said. */
  async change(date: string, decide: (planning: Planning) => Decision): Promise<Decision> {
    for (let attempt = 1; ; attempt++) {
      const { planning, version } = await this.#read(date);
      const created: PlanningEvent = { type: 'WorkshopPlanningCreated', fields: { date } };
      const decision = decide(planning ?? apply({ date, jobs: [] }, created));
      if (decision.kind !== 'event') return decision;
      try {
        await this.#append(date, version, planning === undefined ? [created, decision.event] : [decision.event]);
        return decision;
      } catch (error) {
        if (!isDuplicate(error) || attempt === ATTEMPTS) throw error;
      }
    }
  }

  async #read(date: string): Promise<{ planning: Planning | undefined; version: number }> {
    const rows = await this.#database.query<EventRow>(
      `SELECT version, message_type, event_data FROM workshop_planning_event
       WHERE planning_date = $1 ORDER BY version`,
      [date],
    );
    if (rows.length === 0) return { planning: undefined, version: 0 };
    const events = rows.map(
      ({ message_type, event_data }) => ({ type: message_type, fields: JSON.parse(event_data) }) as PlanningEvent,
    );
    return { planning: events.reduce(apply, { date, jobs: [] }), version: rows.length };
  }

  async #append(date: string, version: number, events: readonly PlanningEvent[]): Promise<void> {
    await this.#database.transaction(async (queries) => {
      for (const [index, { type, fields }] of events.entries()) {
        await queries.query(
          `INSERT INTO workshop_planning_event (planning_date, version, written_at, message_type, event_data)
           VALUES ($1, $2, $3, $4, $5)`,
          [date, version + index + 1, new Date().toISOString(), type, JSON.stringify(fields)],
        );
        await this.#outbox.write(queries, type, fields);
      }
    });
    this.#outbox.publish();
  }
}
