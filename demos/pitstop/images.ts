// The images that Pitstop's programs stand in for: rows for the image catalog, as plain data.
import type { DemoImage } from '@varka/demo-kit/image.ts';

const REPOSITORIES = ['varka/demo-pitstop', 'pitstop'] as const;
const PROGRAMS = [
  'webapp',
  'vehiclemanagementapi',
  'workshopmanagementapi',
  'workshopmanagementeventhandler',
  'invoiceservice',
  'notificationservice',
  'timeservice',
] as const;

const program = (name: string) => new URL(`./src/${name}.ts`, import.meta.url);

const own: readonly DemoImage[] = REPOSITORIES.flatMap((repository) => [
  ...PROGRAMS.map((name) => ({ image: `${repository}/${name}`, module: program(name) })),
  ...['1.0', '2.0'].map((version) => ({
    image: `${repository}/customermanagementapi`,
    tags: [version],
    module: program('customermanagementapi'),
    env: { API_VERSION: version },
  })),
  { image: `${repository}/auditlogservice`, module: program('auditlogservice'), keepsData: true },
]);

/** What stands in for the servers that Pitstop's manifests bring along. */
const servers: readonly DemoImage[] = [
  ...['varka/demo-pitstop/mailserver', 'maildev/maildev'].map((image) => ({ image, module: program('mailserver') })),
  ...['varka/demo-pitstop/logserver', 'datalust/seq'].map((image) => ({ image, module: program('logserver') })),
  ...['varka/demo-pitstop/sqlserver', 'mcr.microsoft.com/mssql/server'].map((image) => ({
    image,
    module: new URL(import.meta.resolve('@varka/demo-engines/sql.ts')),
    args: ['--port', '1433'],
    keepsData: true,
  })),
];

export const pitstopImages: readonly DemoImage[] = [...own, ...servers];
