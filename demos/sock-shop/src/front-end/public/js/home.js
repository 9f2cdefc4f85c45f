import { api } from './api.js';
import { $, el, messageOf, skeletons, sockCard, sorry, start } from './page.js';

/** In the hero, of the nine: as different as they come. */
const IN_HERO = ['Harbour Stripe', 'Ladybird', 'Midnight Magic', 'Conker Argyle', 'Terminal', 'Sprint'];

async function shelf() {
  const grid = $('socks');
  grid.replaceChildren(...skeletons(6));
  try {
    const socks = await api.socks({ size: 9 });
    grid.replaceChildren(...socks.map(sockCard));
    const named = IN_HERO.map((name) => socks.find((sock) => sock.name === name)).filter(Boolean);
    $('hero-art').replaceChildren(
      ...named.map(({ imageUrl }) => el('img', { src: imageUrl[0], alt: '', width: 260, height: 260 })),
    );
  } catch (error) {
    grid.replaceChildren(sorry(error, shelf));
  }
  grid.removeAttribute('aria-busy');
}

async function kinds() {
  try {
    const tags = await api.tags();
    $('tags').replaceChildren(
      ...tags.map((tag) => el('a', { class: 'chip', href: `/category.html?tags=${tag}` }, tag)),
    );
  } catch (error) {
    $('tags').replaceChildren(el('p', { class: 'hint' }, messageOf(error)));
  }
}

start();
shelf();
kinds();
