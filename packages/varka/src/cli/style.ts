// Colour and emphasis, only where somebody looks: a terminal, and not when NO_COLOR is set (https://no-color.org).
import { styleText } from 'node:util';

export type Paint = (text: string) => string;

export interface Style {
  readonly bold: Paint;
  readonly dim: Paint;
  readonly good: Paint;
  readonly bad: Paint;
  readonly warn: Paint;
}

export function styleFor(stream: NodeJS.WriteStream): Style {
  const plain = !stream.isTTY || process.env['NO_COLOR'] || process.env['TERM'] === 'dumb';
  const paint = (format: Parameters<typeof styleText>[0]): Paint =>
    plain ? (text) => text : (text) => styleText(format, text, { validateStream: false });
  return { bold: paint('bold'), dim: paint('dim'), good: paint('green'), bad: paint('red'), warn: paint('yellow') };
}
