import { ApiError, api, isLoggedIn } from './api.js';
import { $, askToLogIn, el, messageOf, money, onSubmit, refreshBasket, sorry, start, toast } from './page.js';

const SHIPPING = 4.99;
let lines = [];
let hasAddress = false;
let hasCard = false;

function lineOf({ sock, quantity, unitPrice }) {
  const name = sock?.name ?? 'A sock we no longer know';
  const change = async (next) => {
    try {
      await (next < 1 ? api.removeFromCart(sock.id) : api.setQuantity(sock.id, next));
    } catch (error) {
      toast(messageOf(error));
    }
    await load();
  };
  const step = (label, sign, next) =>
    el('button', { type: 'button', 'aria-label': `${label} of ${name}`, onclick: () => change(next) }, sign);
  return el(
    'article',
    { class: 'line' },
    el('img', { src: sock?.imageUrl[0] ?? '/img/sock.svg', alt: '', width: 88, height: 88 }),
    el(
      'div',
      { class: 'name' },
      el('a', { href: `/detail.html?id=${sock?.id ?? ''}` }, name),
      el('small', {}, `${money(unitPrice)} a pair`),
    ),
    el('div', { class: 'sum' }, money(quantity * unitPrice)),
    el(
      'div',
      { class: 'stepper' },
      step('One less', '−', quantity - 1),
      el('output', { 'aria-label': `Pairs of ${name}` }, String(quantity)),
      step('One more', '+', quantity + 1),
    ),
    el('button', { type: 'button', class: 'link remove', onclick: () => change(0) }, 'Remove'),
  );
}

function emptyBasket() {
  return el(
    'div',
    { class: 'empty' },
    el('h2', {}, 'Nothing in it yet'),
    el('p', {}, 'Nine socks are waiting on the shelf.'),
    el('a', { class: 'button primary', href: '/category.html' }, 'Choose some socks'),
  );
}

function show() {
  const pairs = lines.reduce((sum, { quantity }) => sum + quantity, 0);
  const subtotal = lines.reduce((sum, { quantity, unitPrice }) => sum + quantity * unitPrice, 0);
  $('count').textContent = pairs === 0 ? '' : `${pairs} ${pairs === 1 ? 'pair' : 'pairs'}`;
  $('lines').replaceChildren(...(lines.length === 0 ? [emptyBasket()] : lines.map(lineOf)));
  $('subtotal').textContent = money(subtotal);
  $('shipping').textContent = money(pairs === 0 ? 0 : SHIPPING);
  $('total').textContent = money(pairs === 0 ? 0 : subtotal + SHIPPING);
  $('place-order').disabled = lines.length === 0;
  $('place-order').textContent = isLoggedIn() ? 'Place order' : 'Log in to order';
}

async function load() {
  try {
    const items = await api.cart();
    const socks = items.length === 0 ? [] : await api.socks({ size: 100 });
    lines = items.map((item) => ({ ...item, sock: socks.find(({ id }) => id === item.itemId) }));
    show();
  } catch (error) {
    $('lines').replaceChildren(sorry(error, load));
  }
  $('checkout').removeAttribute('aria-busy');
  refreshBasket();
}

async function loadChoices() {
  const here = isLoggedIn();
  $('edit-address').hidden = !here;
  $('edit-card').hidden = !here;
  if (!here) {
    $('address').textContent = 'Log in, and we know where.';
    $('card').textContent = 'Log in, and we know how.';
    return;
  }
  const [address, card] = await Promise.allSettled([api.address(), api.card()]);
  hasAddress = address.status === 'fulfilled' && address.value.street !== undefined;
  hasCard = card.status === 'fulfilled' && card.value.number !== undefined;
  $('address').textContent = hasAddress ? addressText(address.value) : 'No address yet.';
  $('card').textContent = hasCard ? `Card ending in ${card.value.number}` : 'No card yet.';
  $('edit-address').textContent = hasAddress ? 'Change address' : 'Add an address';
  $('edit-card').textContent = hasCard ? 'Change card' : 'Add a card';
}

const addressText = ({ number, street, postcode, city, country }) =>
  `${number} ${street}, ${postcode} ${city}, ${country}`;

async function order() {
  const problem = $('order-problem');
  problem.hidden = true;
  if (!isLoggedIn()) return askToLogIn(afterLogin);
  if (!hasAddress) return $('address-dialog').showModal();
  if (!hasCard) return $('card-dialog').showModal();
  const button = $('place-order');
  button.disabled = true;
  try {
    await api.placeOrder();
    await api.emptyCart();
    location.assign('/customer-orders.html?placed=1');
  } catch (error) {
    problem.textContent =
      error instanceof ApiError && error.status === 406 ? error.message : `The order failed. ${messageOf(error)}`;
    problem.hidden = false;
    button.disabled = false;
  }
}

async function afterLogin() {
  await Promise.all([load(), loadChoices()]);
}

$('place-order').addEventListener('click', order);
$('edit-address').addEventListener('click', () => $('address-dialog').showModal());
$('edit-card').addEventListener('click', () => $('card-dialog').showModal());
onSubmit($('address-form'), async (address) => {
  await api.addAddress(address);
  $('address-dialog').close();
  await loadChoices();
});
onSubmit($('card-form'), async (card) => {
  await api.addCard({ ...card, longNum: card.longNum.replaceAll(' ', '') });
  $('card-dialog').close();
  await loadChoices();
});
start();
load();
loadChoices();
