// The loyalty medals, drawn in code: signed distances to the shapes give every pixel its colour and a soft edge.
import { crc32, deflateSync } from 'node:zlib';

type Colour = readonly [red: number, green: number, blue: number];
/** Negative inside the shape, positive outside, in pixels. */
type Distance = (x: number, y: number) => number;

interface Metal {
  readonly rim: Colour;
  readonly face: Colour;
  readonly light: Colour;
}

const WIDTH = 96;
const HEIGHT = 120;
const CENTRE = { x: 48, y: 78 };

export type Level = 1 | 2 | 3;

const METALS: Readonly<Record<Level, Metal>> = {
  1: { rim: [122, 70, 32], face: [196, 124, 69], light: [232, 176, 128] },
  2: { rim: [104, 116, 128], face: [176, 188, 200], light: [230, 236, 242] },
  3: { rim: [154, 104, 8], face: [238, 184, 44], light: [255, 226, 134] },
};
const RIBBON: Colour = [26, 96, 110];
const RIBBON_STRIPE: Colour = [232, 240, 242];

/** As a PNG. */
export function medal(level: Level): Buffer {
  const pixels = Buffer.alloc(WIDTH * HEIGHT * 4);
  for (const [distance, colour] of layersOf(METALS[level])) paint(pixels, distance, colour);
  return encodePng(pixels);
}

/** From back to front. */
function layersOf({ rim, face, light }: Metal): (readonly [Distance, Colour])[] {
  return [
    [band(30, 8, 44, 62, 13), RIBBON],
    [band(66, 8, 52, 62, 13), RIBBON],
    [band(30, 8, 44, 62, 3.5), RIBBON_STRIPE],
    [band(66, 8, 52, 62, 3.5), RIBBON_STRIPE],
    [disc(37), rim],
    [disc(33.5), light],
    [disc(31.5), face],
    [star(22, 9.5), light],
  ];
}

const disc =
  (radius: number): Distance =>
  (x, y) =>
    Math.hypot(x - CENTRE.x, y - CENTRE.y) - radius;

/** A straight ribbon from one point to another, `half` wide to each side, cut off square. */
function band(x1: number, y1: number, x2: number, y2: number, half: number): Distance {
  const length = Math.hypot(x2 - x1, y2 - y1);
  const ux = (x2 - x1) / length;
  const uy = (y2 - y1) / length;
  return (x, y) => {
    const along = (x - x1) * ux + (y - y1) * uy;
    const across = Math.abs((y - y1) * ux - (x - x1) * uy);
    return Math.max(across - half, -along, along - length);
  };
}

/** Five points, the first upward: the distance to the edge of the wedge that the pixel is in. */
function star(outer: number, inner: number): Distance {
  const half = Math.PI / 5;
  // The edge of a wedge runs from the point at angle 0 to the notch at angle 36°.
  const notch = { x: inner * Math.cos(half), y: inner * Math.sin(half) };
  const normal = { x: notch.y, y: outer - notch.x };
  const size = Math.hypot(normal.x, normal.y);
  return (x, y) => {
    const angle = Math.atan2(x - CENTRE.x, CENTRE.y - y);
    const wedge = Math.abs(angle - 2 * half * Math.round(angle / (2 * half)));
    const radius = Math.hypot(x - CENTRE.x, y - CENTRE.y);
    const px = radius * Math.cos(wedge) - outer;
    return (px * normal.x + radius * Math.sin(wedge) * normal.y) / size;
  };
}

function paint(pixels: Buffer, distance: Distance, colour: Colour): void {
  for (let y = 0; y < HEIGHT; y++) {
    for (let x = 0; x < WIDTH; x++) {
      const cover = Math.min(1, Math.max(0, 0.5 - distance(x + 0.5, y + 0.5)));
      if (cover === 0) continue;
      const at = (y * WIDTH + x) * 4;
      const under = (pixels[at + 3] as number) / 255;
      const alpha = cover + under * (1 - cover);
      for (let channel = 0; channel < 3; channel++) {
        const below = pixels[at + channel] as number;
        const mixed = ((colour[channel] as number) * cover + below * under * (1 - cover)) / alpha;
        pixels[at + channel] = Math.round(mixed);
      }
      pixels[at + 3] = Math.round(alpha * 255);
    }
  }
}

/** 8-bit RGBA, every line unfiltered (PNG specification, third edition, 11.2 and 12). */
function encodePng(pixels: Buffer): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(WIDTH, 0);
  header.writeUInt32BE(HEIGHT, 4);
  header.set([8, 6, 0, 0, 0], 8);
  const lines = Buffer.alloc(HEIGHT * (WIDTH * 4 + 1));
  for (let y = 0; y < HEIGHT; y++) {
    pixels.copy(lines, y * (WIDTH * 4 + 1) + 1, y * WIDTH * 4, (y + 1) * WIDTH * 4);
  }
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([
    signature,
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(lines, { level: 9 })),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const frame = Buffer.alloc(body.length + 8);
  frame.writeUInt32BE(data.length, 0);
  body.copy(frame, 4);
  frame.writeUInt32BE(crc32(body), body.length + 4);
  return frame;
}
