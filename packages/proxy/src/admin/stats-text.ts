// /stats and /stats/prometheus: the same numbers as Envoy's text, its JSON, and the Prometheus exposition format.
import type { Stat } from './stat-lines.ts';

/** `name: value`, sorted by name. */
export function statsText(stats: Iterable<Stat>): string {
  const lines = [...stats].map((stat) => `${stat.name}: ${stat.value}\n`);
  return lines.sort().join('');
}

export function statsJson(stats: Iterable<Stat>): string {
  const list = [...stats].map(({ name, value }) => ({ name, value }));
  return JSON.stringify({ stats: list.sort((a, b) => (a.name < b.name ? -1 : 1)) });
}

/** Prometheus text format 0.0.4: one TYPE line for each family, and a family's samples together. */
export function prometheusText(stats: Iterable<Stat>): string {
  const families = new Map<string, { readonly kind: string; readonly samples: string[] }>();
  for (const stat of stats) {
    const name = stat.family.replace(/[^a-zA-Z0-9_:]/g, '_');
    let family = families.get(name);
    if (family === undefined) {
      family = { kind: stat.kind, samples: [] };
      families.set(name, family);
    }
    const labels = Object.entries(stat.labels).map(([label, value]) => `${label}="${escapeLabel(value)}"`);
    family.samples.push(`${name}{${labels.join(',')}} ${stat.value}\n`);
  }
  return [...families].map(([name, { kind, samples }]) => `# TYPE ${name} ${kind}\n${samples.join('')}`).join('');
}

function escapeLabel(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
