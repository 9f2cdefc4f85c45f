// Where the other programs are: by their service names in the cluster, or wherever NAME_HOST says.

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** `host:port` in the environment variable `SERVICE_HOST`, or the service's own name and `standardPort`. */
export function addressOf(service: string, standardPort: number): Address {
  const variable = `${service.toUpperCase()}_HOST`;
  const text = process.env[variable] ?? `${service}:${standardPort}`;
  const match = /^([^:/]+):(\d{1,5})$/.exec(text);
  const host = match?.[1];
  const port = Number(match?.[2]);
  if (host === undefined || !(port > 0 && port < 65_536)) {
    console.error(`${variable} is "${text}"; it must be a name and a port, like ${service}:${standardPort}`);
    process.exit(1);
  }
  return { host, port };
}
