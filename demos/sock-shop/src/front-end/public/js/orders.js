import { api, isLoggedIn } from './api.js';
import { $, askToLogIn, el, money, sorry, start, toast } from './page.js';

const dates = new Intl.DateTimeFormat('en', { dateStyle: 'long', timeStyle: 'short' });
/** Jackson's offset, +0000, is not what Date reads: +00:00 is. */
const dateOf = (text) => dates.format(new Date(text.replace(/([+-]\d\d)(\d\d)$/, '$1:$2')));

function orderCard(order, socks) {
  const lines = order.items.map(({ itemId, quantity }) => {
    const sock = socks.find(({ id }) => id === itemId);
    return el(
      'li',
      {},
      el('img', { src: sock?.imageUrl[0] ?? '/img/sock.svg', alt: '', width: 48, height: 48 }),
      `${quantity} × ${sock?.name ?? 'a sock we no longer know'}`,
    );
  });
  const { number, street, city } = order.address;
  return el(
    'article',
    { class: 'order' },
    el(
      'div',
      { class: 'order-head' },
      el('h2', {}, dateOf(order.date)),
      el('span', { class: 'order-total' }, money(order.total)),
    ),
    el('ul', { class: 'order-socks' }, ...lines),
    el('p', { class: 'hint small' }, `Order ${order.id} · to ${number} ${street}, ${city} · being shipped`),
  );
}

function invitation() {
  return el(
    'div',
    { class: 'empty' },
    el('h2', {}, 'Whose orders?'),
    el('p', {}, 'Log in to see what you have ordered.'),
    el('button', { type: 'button', class: 'primary', onclick: () => askToLogIn(show) }, 'Log in'),
  );
}

function nothing() {
  return el(
    'div',
    { class: 'empty' },
    el('h2', {}, 'None so far'),
    el('p', {}, 'Your feet have been patient.'),
    el('a', { class: 'button primary', href: '/category.html' }, 'Choose some socks'),
  );
}

async function show() {
  const list = $('orders');
  if (!isLoggedIn()) {
    list.replaceChildren(invitation());
    list.removeAttribute('aria-busy');
    return;
  }
  try {
    const [orders, socks] = await Promise.all([api.orders(), api.socks({ size: 100 })]);
    $('count').textContent = orders.length === 0 ? '' : `${orders.length} ${orders.length === 1 ? 'order' : 'orders'}`;
    const newestFirst = [...orders].reverse();
    list.replaceChildren(...(orders.length === 0 ? [nothing()] : newestFirst.map((order) => orderCard(order, socks))));
  } catch (error) {
    list.replaceChildren(sorry(error, show));
  }
  list.removeAttribute('aria-busy');
}

start();
show();
if (new URLSearchParams(location.search).has('placed')) {
  toast('Thank you. Your socks are on their way.');
  history.replaceState({}, '', '/customer-orders.html');
}
