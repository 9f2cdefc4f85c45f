// Collects what is wrong with an object, each finding with the path of the field it is about. Nothing here throws.

export type Fields = Readonly<Record<string, unknown>>;

/** A place in the object: a value and the path that led to it. */
export class Place {
  readonly path: string;
  readonly value: unknown;
  readonly #report: { errors: string[]; warnings: string[] };

  constructor(value: unknown, path: string, report: { errors: string[]; warnings: string[] }) {
    this.value = value;
    this.path = path;
    this.#report = report;
  }

  error(message: string): void {
    this.#report.errors.push(`${this.path}: ${message}`);
  }

  warn(message: string): void {
    this.#report.warnings.push(`${this.path}: ${message}`);
  }

  get isSet(): boolean {
    return this.value !== undefined && this.value !== null;
  }

  /** The value as text; '' when it is none. (That it is of the right type is the schema's business.) */
  get text(): string {
    return typeof this.value === 'string' ? this.value : '';
  }

  get number(): number | undefined {
    return typeof this.value === 'number' ? this.value : undefined;
  }

  get fields(): Fields {
    return typeof this.value === 'object' && this.value !== null && !Array.isArray(this.value)
      ? (this.value as Fields)
      : {};
  }

  field(name: string): Place {
    return new Place(this.fields[name], `${this.path}.${name}`, this.#report);
  }

  /** The entries of a map, by name: `headers[x-user]`. */
  entries(): [string, Place][] {
    return Object.entries(this.fields).map(([name, value]) => [
      name,
      new Place(value, `${this.path}[${name}]`, this.#report),
    ]);
  }

  items(): Place[] {
    return Array.isArray(this.value)
      ? this.value.map((value, index) => new Place(value, `${this.path}[${index}]`, this.#report))
      : [];
  }
}
