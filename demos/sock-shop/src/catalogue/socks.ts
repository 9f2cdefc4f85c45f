// What the shop sells: the rows that an empty database starts with.
import type { Design } from './picture.ts';

/** In the order in which `/tags` names them. */
export const TAGS = [
  'brown',
  'geek',
  'formal',
  'blue',
  'skin',
  'red',
  'action',
  'sport',
  'black',
  'magic',
  'green',
] as const;

export interface SockRow {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly price: number;
  readonly count: number;
  readonly tags: readonly (typeof TAGS)[number][];
  /** The pictures are `SLUG-pair.svg` and `SLUG-close.svg`. */
  readonly slug: string;
  readonly design: Design;
}

export const SOCKS: readonly SockRow[] = [
  {
    id: '1f0c7a52-6a0e-4f6b-9a41-0d5b0c8e7a11',
    name: 'Harbour Stripe',
    description:
      'Broad stripes in the two blues of a calm morning at sea. Combed cotton, a ribbed cuff that stays up, and a toe seam you will not feel in your boots.',
    price: 15,
    count: 438,
    tags: ['blue', 'formal'],
    slug: 'harbour-stripe',
    design: { pattern: 'stripes', ground: '#dbe9f6', base: '#f4f1e8', ink: '#2b5f9e', accent: '#16365f' },
  },
  {
    id: '2b9d4c18-53f7-4a0c-8f6e-7c2e91a3d522',
    name: 'Midnight Magic',
    description:
      'A clear winter sky to pull over your ankles. The stars were counted twice; both counts differ, which is how you know that they are real.',
    price: 17.32,
    count: 115,
    tags: ['magic', 'black'],
    slug: 'midnight-magic',
    design: { pattern: 'stars', ground: '#d9d4ea', base: '#1d1b33', ink: '#f5d76e', accent: '#5b4b9a' },
  },
  {
    id: '3c4e8f60-1b72-4e59-a3d8-5f10b6c7e933',
    name: 'Ladybird',
    description:
      'Seven spots a side, as tradition has it. Cushioned where it lands, thin where it bends, and quick to dry on any line.',
    price: 9.5,
    count: 620,
    tags: ['red', 'sport'],
    slug: 'ladybird',
    design: { pattern: 'dots', ground: '#f8dcd3', base: '#d8402f', ink: '#2a1513', accent: '#2a1513' },
  },
  {
    id: '4d5f9071-2c83-4f6a-b4e9-602fc7d8fa44',
    name: 'Terminal',
    description:
      'Green phosphor on black, eighty columns round. They compile without warnings and are warm enough for any machine room.',
    price: 12.8,
    count: 256,
    tags: ['geek', 'green', 'black'],
    slug: 'terminal',
    design: { pattern: 'code', ground: '#d3ead9', base: '#10201a', ink: '#4fe08a', accent: '#1f5b3b' },
  },
  {
    id: '5e60a182-3d94-407b-85fa-7130d8e90b55',
    name: 'Fern Walk',
    description:
      'For the long way round. Merino that breathes uphill and keeps warm on the bench at the top, in the green of a forest after rain.',
    price: 18,
    count: 148,
    tags: ['green', 'sport'],
    slug: 'fern-walk',
    design: { pattern: 'leaves', ground: '#e3ecd3', base: '#3f6b3c', ink: '#b9d68b', accent: '#27452a' },
  },
  {
    id: '6f71b293-4ea5-418c-960b-8241e9fa1c66',
    name: 'Second Skin',
    description:
      'A plain sock, done properly. Fine ribs from cuff to toe, a soft blush, and nothing at all to distract from the shoe.',
    price: 7.99,
    count: 808,
    tags: ['skin', 'formal'],
    slug: 'second-skin',
    design: { pattern: 'ribs', ground: '#f4e4da', base: '#e8b99a', ink: '#d39c79', accent: '#c98764' },
  },
  {
    id: '7082c3a4-5fb6-429d-a71c-9352fa0b2d77',
    name: 'Conker Argyle',
    description:
      'Autumn in diamonds: chestnut, toffee and one line of cream. Knitted on old machines by people who know what a cable is.',
    price: 14.4,
    count: 92,
    tags: ['brown', 'formal'],
    slug: 'conker-argyle',
    design: { pattern: 'argyle', ground: '#efe2cf', base: '#8a5a34', ink: '#c98f4e', accent: '#4d2f1b' },
  },
  {
    id: '8193d4b5-60c7-43ae-b82d-a463ab1c3e88',
    name: 'Sprint',
    description:
      'Chevrons that point where you are going. Arch support, a snug heel, and a left and a right that know which is which.',
    price: 11.25,
    count: 374,
    tags: ['red', 'action', 'sport'],
    slug: 'sprint',
    design: { pattern: 'chevrons', ground: '#fbe3d0', base: '#f2efe9', ink: '#e0512f', accent: '#27303a' },
  },
  {
    id: '92a4e5c6-71d8-44bf-893e-b574bc2d4f99',
    name: 'Golden Fleece',
    description:
      'One pair, from the ram itself. Stately, shimmering, and a little more than most banks allow in one go.',
    price: 99.99,
    count: 1,
    tags: ['magic', 'action'],
    slug: 'golden-fleece',
    design: { pattern: 'fleece', ground: '#f6ecc9', base: '#d9a520', ink: '#f8e08a', accent: '#8f6410' },
  },
];

/** Where the API says a sock's two pictures are. */
export function imageUrls({ slug }: Pick<SockRow, 'slug'>): [string, string] {
  return [`/catalogue/images/${slug}-pair.svg`, `/catalogue/images/${slug}-close.svg`];
}
