import { api } from './api.js';
import { $, el, messageOf, money, refreshBasket, sockCard, sorry, start, toast } from './page.js';

const id = new URLSearchParams(location.search).get('id') ?? '';

function gallery({ name, imageUrl }) {
  const large = el('img', { src: imageUrl[0], alt: `A pair of ${name} socks`, width: 800, height: 800 });
  const alts = [`A pair of ${name} socks`, `${name}, from close by`];
  const thumbs = imageUrl.map((url, index) =>
    el(
      'button',
      {
        type: 'button',
        'aria-pressed': String(index === 0),
        'aria-label': alts[index],
        onclick: () => {
          large.src = url;
          large.alt = alts[index];
          for (const thumb of thumbs) thumb.setAttribute('aria-pressed', String(thumb === thumbs[index]));
        },
      },
      el('img', { src: url, alt: '', width: 80, height: 80 }),
    ),
  );
  return el('div', { class: 'gallery' }, large, el('div', { class: 'thumbs' }, ...thumbs));
}

function facts(sock) {
  const put = async ({ currentTarget: button }) => {
    button.disabled = true;
    try {
      await api.addToCart(sock.id);
      toast(`${sock.name} is in your basket`);
      await refreshBasket();
    } catch (error) {
      toast(messageOf(error));
    }
    button.disabled = false;
  };
  return el(
    'div',
    { class: 'detail-text' },
    el('h1', {}, sock.name),
    el('p', { class: 'detail-price' }, money(sock.price)),
    el('p', {}, sock.description),
    el(
      'div',
      { class: 'chips' },
      ...sock.tag.map((tag) => el('a', { class: 'chip', href: `/category.html?tags=${tag}` }, tag)),
    ),
    el('p', { class: 'hint' }, sock.count === 1 ? 'The last pair' : `${sock.count} pairs in store`),
    el(
      'div',
      { class: 'buy' },
      el('button', { type: 'button', class: 'primary', id: 'buy', onclick: put }, 'Add to basket'),
      el('a', { class: 'button', href: '/basket.html' }, 'See the basket'),
    ),
  );
}

async function related(sock) {
  const others = (await api.socks({ tags: sock.tag, size: 9 })).filter((other) => other.id !== sock.id).slice(0, 3);
  $('socks').replaceChildren(...others.map(sockCard));
  $('related').hidden = others.length === 0;
}

async function show() {
  const article = $('detail');
  try {
    const sock = await api.sock(id);
    document.title = `${sock.name} · Sock Shop`;
    $('crumb').textContent = sock.name;
    article.replaceChildren(gallery(sock), facts(sock));
    related(sock).catch((error) => console.warn('related:', messageOf(error)));
  } catch (error) {
    article.replaceChildren(sorry(error, show));
  }
  article.removeAttribute('aria-busy');
}

start();
show();
