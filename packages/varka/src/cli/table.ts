// Aligned columns, as kubectl prints them.
import { stripVTControlCharacters } from 'node:util';

const GAP = 3;

function width(cell: string): number {
  return stripVTControlCharacters(cell).length;
}

export function table(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [headings, ...rows];
  const widths = headings.map((_, column) => Math.max(...lines.map((line) => width(line[column] ?? ''))));
  const render = (line: readonly string[]) =>
    line
      .map((cell, column) =>
        column === line.length - 1 ? cell : cell + ' '.repeat((widths[column] ?? 0) - width(cell) + GAP),
      )
      .join('');
  return lines.map((line) => `${render(line).trimEnd()}\n`).join('');
}
