// A sock, drawn: one outline, nine ways to knit it.

export type Pattern = 'stripes' | 'stars' | 'dots' | 'code' | 'leaves' | 'ribs' | 'argyle' | 'chevrons' | 'fleece';

/** Colours as CSS writes them. */
export interface Design {
  readonly pattern: Pattern;
  /** Behind the socks. */
  readonly ground: string;
  /** The yarn, the pattern's yarn, and that of cuff, heel and toe. */
  readonly base: string;
  readonly ink: string;
  readonly accent: string;
}

export type View = 'pair' | 'close';

const SOCK =
  'M336 84 L562 84 C562 250 556 380 568 462 C592 566 560 642 470 654 C380 668 300 704 230 722 ' +
  'C146 744 88 692 110 622 C130 558 250 524 310 470 C344 438 342 330 336 84 Z';

/** A whole SVG document of 800 by 800 units; `title` is what a screen reader says. */
export function picture(title: string, design: Design, view: View): string {
  const { ground, base } = design;
  const front =
    view === 'pair'
      ? `<g transform="translate(-6 26)">${sock(design)}</g>`
      : `<g transform="translate(-310 -560) scale(1.72) rotate(4 400 400)">${sock(design)}</g>`;
  const behind =
    view === 'pair' ? `<g transform="translate(122 -8) rotate(7 450 400)">${sock(design, 'behind')}</g>` : '';
  return `<svg xmlns="http://www.w3.org/2000/svg" width="800" height="800" viewBox="0 0 800 800" role="img" aria-label="${escapeXml(title)}">
<defs>
<clipPath id="sock"><path d="${SOCK}"/></clipPath>
<linearGradient id="light" x1="0.1" y1="0" x2="1" y2="0.25">
<stop offset="0" stop-color="#fff" stop-opacity="0.2"/><stop offset="0.45" stop-color="#fff" stop-opacity="0"/>
<stop offset="1" stop-color="#000" stop-opacity="0.3"/>
</linearGradient>
<radialGradient id="glow" cx="0.4" cy="0.34" r="0.9">
<stop offset="0" stop-color="#fff" stop-opacity="0.6"/><stop offset="0.5" stop-color="#fff" stop-opacity="0.12"/><stop offset="1" stop-color="${base}" stop-opacity="0.16"/>
</radialGradient>
<pattern id="knit" width="12" height="10" patternUnits="userSpaceOnUse">
<path d="M0 1 L6 8 L12 1" fill="none" stroke="#000" stroke-opacity="0.13" stroke-width="2.2"/>
<path d="M0 -1 L6 6 L12 -1" fill="none" stroke="#fff" stroke-opacity="0.1" stroke-width="1.6"/>
</pattern>
<pattern id="rib" width="16" height="16" patternUnits="userSpaceOnUse">
<rect width="5" height="16" fill="#000" fill-opacity="0.2"/><rect x="7" width="3" height="16" fill="#fff" fill-opacity="0.14"/>
</pattern>
${patternOf(design)}
</defs>
<rect width="800" height="800" fill="${ground}"/>
<rect width="800" height="800" fill="url(#glow)"/>
${view === 'pair' ? '<ellipse cx="390" cy="742" rx="290" ry="26" fill="#000" fill-opacity="0.13"/>' : ''}
${behind}
${front}
</svg>
`;
}

function sock({ base, accent }: Design, place: 'front' | 'behind' = 'front'): string {
  return `<g clip-path="url(#sock)">
<rect x="60" y="60" width="560" height="700" fill="${base}"/>
<rect x="60" y="60" width="560" height="700" fill="url(#yarn)"/>
<circle cx="568" cy="590" r="112" fill="${accent}"/>
<circle cx="112" cy="694" r="122" fill="${accent}"/>
<rect x="320" y="80" width="260" height="84" fill="${accent}"/>
<rect x="320" y="80" width="260" height="84" fill="url(#rib)"/>
<rect x="320" y="162" width="260" height="5" fill="#000" fill-opacity="0.18"/>
<rect x="60" y="164" width="560" height="600" fill="url(#knit)"/>
<rect x="60" y="60" width="560" height="700" fill="url(#light)"/>
${place === 'behind' ? '<rect x="60" y="60" width="560" height="700" fill="#000" fill-opacity="0.22"/>' : ''}
</g>
<path d="${SOCK}" fill="none" stroke="#000" stroke-opacity="0.16" stroke-width="3"/>`;
}

/** The knitting, as an SVG pattern with the id `yarn`. */
function patternOf({ pattern, ink, accent }: Design): string {
  const tile = (width: number, height: number, content: string, turn = 0) =>
    `<pattern id="yarn" width="${width}" height="${height}" patternUnits="userSpaceOnUse"` +
    `${turn === 0 ? '' : ` patternTransform="rotate(${turn})"`}>${content}</pattern>`;
  switch (pattern) {
    case 'stripes':
      return tile(
        80,
        96,
        `<rect width="80" height="46" fill="${ink}"/><rect y="58" width="80" height="10" fill="${ink}" fill-opacity="0.55"/>`,
        -9,
      );
    case 'stars':
      return tile(
        132,
        132,
        star(34, 38, 17, ink) +
          star(98, 92, 12, ink) +
          star(104, 22, 6, ink) +
          star(28, 104, 7, '#fff') +
          star(70, 66, 4, '#fff'),
      );
    case 'dots':
      return tile(
        120,
        120,
        `<circle cx="30" cy="30" r="21" fill="${ink}"/><circle cx="90" cy="90" r="21" fill="${ink}"/>`,
        12,
      );
    case 'code':
      return tile(
        180,
        112,
        CODE_LINES.map(
          ([x, y, wide]) => `<rect x="${x}" y="${y}" width="${wide}" height="11" rx="2" fill="${ink}"/>`,
        ).join(''),
      );
    case 'leaves':
      return tile(96, 120, leaf(26, 34, 32, ink) + leaf(74, 94, -32, ink), -6);
    case 'ribs':
      return tile(22, 22, `<rect width="9" height="22" fill="${ink}" fill-opacity="0.75"/>`);
    case 'argyle':
      return tile(
        132,
        176,
        `<path d="M66 4 L128 88 L66 172 L4 88 Z" fill="${ink}"/>` +
          `<path d="M0 0 L132 176 M132 0 L0 176" stroke="#f3e6cf" stroke-width="4" stroke-dasharray="10 8"/>` +
          `<path d="M66 54 L92 88 L66 122 L40 88 Z" fill="${accent}"/>`,
      );
    case 'chevrons':
      return tile(
        112,
        84,
        `<path d="M0 10 L56 46 L112 10" fill="none" stroke="${ink}" stroke-width="22"/>` +
          `<path d="M0 54 L56 90 L112 54 M0 -30 L56 6 L112 -30" fill="none" stroke="${accent}" stroke-width="7"/>`,
      );
    case 'fleece':
      return tile(
        64,
        52,
        `<path d="M32 26 C32 12 50 12 50 26 C50 36 38 36 38 27 M0 0 C0 -14 18 -14 18 0 C18 10 6 10 6 1 ` +
          `M64 0 C64 10 52 12 50 2 M0 52 C0 38 18 38 18 52 M-14 26 C-14 12 4 12 4 26 C4 36 -8 36 -8 27" ` +
          `fill="none" stroke="${ink}" stroke-width="6" stroke-linecap="round"/>`,
      );
  }
}

/** Where a line of a program begins, and how long it is. */
const CODE_LINES: readonly (readonly [x: number, y: number, width: number])[] = [
  [8, 10, 44],
  [62, 10, 26],
  [24, 38, 70],
  [104, 38, 18],
  [24, 66, 30],
  [64, 66, 52],
  [126, 66, 36],
  [8, 94, 18],
];

function star(x: number, y: number, radius: number, fill: string): string {
  const points = Array.from({ length: 10 }, (_, index) => {
    const reach = index % 2 === 0 ? radius : radius * 0.42;
    const angle = (Math.PI / 5) * index - Math.PI / 2;
    return `${(x + reach * Math.cos(angle)).toFixed(1)},${(y + reach * Math.sin(angle)).toFixed(1)}`;
  });
  return `<polygon points="${points.join(' ')}" fill="${fill}"/>`;
}

function leaf(x: number, y: number, turn: number, fill: string): string {
  return (
    `<g transform="translate(${x} ${y}) rotate(${turn})"><path d="M0 30 C-24 12 -18 -22 0 -32 C18 -22 24 12 0 30 Z" fill="${fill}"/>` +
    '<path d="M0 34 L0 -22 M0 12 L-10 2 M0 12 L10 2 M0 -2 L-8 -11 M0 -2 L8 -11" stroke="#000" stroke-opacity="0.28" stroke-width="3" fill="none"/></g>'
  );
}

const XML_ESCAPES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

function escapeXml(text: string): string {
  return text.replace(/[&<>"]/g, (char) => XML_ESCAPES[char] ?? char);
}
