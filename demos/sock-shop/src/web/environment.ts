// Where the services find each other, and the port they listen on.
import { portFromEnvironment } from '@varka/demo-kit/serve.ts';

/** `http://NAME`, as the cluster's DNS knows it; `CATALOGUE_HOST=127.0.0.1:8081` points elsewhere. */
export function serviceUrl(name: string): string {
  return `http://${hostOf(name)}`;
}

/** The address of a database or broker: from `CARTS_DB_HOST`, or its name and the standard port. */
export function endpoint(name: string, standardPort: number): { host: string; port: number } {
  const [host = name, port] = hostOf(name).split(':');
  return { host, port: port === undefined ? standardPort : Number(port) };
}

function hostOf(name: string): string {
  return process.env[`${name.toUpperCase().replaceAll('-', '_')}_HOST`] ?? name;
}

/** The last `-port=80` or `--port=80` of the command line, else `PORT`, else 80. */
export function servicePort(): number {
  const flag = process.argv.map((word) => /^--?port=(\d+)$/.exec(word)?.[1]).findLast((port) => port !== undefined);
  return flag === undefined ? portFromEnvironment(80) : Number(flag);
}
