// What every page has: elements made safely, the header's basket and account, the dialogs, messages.
import { ApiError, api, isLoggedIn, logOut } from './api.js';
import { toggleTheme } from './theme.js';

export const $ = (id) => document.getElementById(id);

/** `el('a', { href, class: 'x', onclick }, 'text', child …)`; text is text, never markup. */
export function el(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) continue;
    if (key.startsWith('on')) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? '' : value);
  }
  element.append(...children);
  return element;
}

const currency = new Intl.NumberFormat('en', { style: 'currency', currency: 'EUR' });
export const money = (amount) => currency.format(amount);

export function toast(message) {
  const note = el('div', { class: 'toast' }, message);
  $('toasts').append(note);
  setTimeout(() => note.remove(), 3500);
}

export function messageOf(error) {
  return error instanceof ApiError ? error.message : 'Something went wrong in this page.';
}

/** In place of what could not be loaded, with a way to try again. */
export function sorry(error, again) {
  return el(
    'div',
    { class: 'empty', role: 'alert' },
    el('h2', {}, 'The shelf is out of reach'),
    el('p', {}, messageOf(error)),
    el('button', { type: 'button', onclick: again }, 'Try again'),
  );
}

export async function refreshBasket() {
  const badge = $('basket-count');
  try {
    const count = (await api.cart()).reduce((sum, { quantity }) => sum + quantity, 0);
    badge.hidden = count === 0;
    badge.textContent = String(count);
    badge.setAttribute('aria-label', `${count} in the basket`);
  } catch (error) {
    badge.hidden = true;
    console.warn('basket:', messageOf(error));
  }
}

/** A card in a grid of socks. */
export function sockCard({ id, name, price, imageUrl }) {
  const add = async ({ currentTarget: button }) => {
    button.disabled = true;
    try {
      await api.addToCart(id);
      toast(`${name} is in your basket`);
      await refreshBasket();
    } catch (error) {
      toast(messageOf(error));
    }
    button.disabled = false;
  };
  return el(
    'article',
    { class: 'sock' },
    el(
      'div',
      { class: 'sock-picture' },
      el('img', { src: imageUrl[0], alt: '', width: 400, height: 400, loading: 'lazy' }),
    ),
    el(
      'div',
      { class: 'sock-body' },
      el('h3', {}, el('a', { class: 'sock-name', href: `/detail.html?id=${encodeURIComponent(id)}` }, name)),
      el('span', { class: 'price' }, money(price)),
      el(
        'button',
        { type: 'button', class: 'primary add', 'aria-label': `Add ${name} to the basket`, onclick: add },
        'Add',
      ),
    ),
  );
}

export function skeletons(count) {
  return Array.from({ length: count }, () => el('div', { class: 'sock-skeleton' }));
}

/** The values of a form, trimmed. */
export function valuesOf(form) {
  return Object.fromEntries([...new FormData(form)].map(([name, value]) => [name, String(value).trim()]));
}

/** Runs `save` when the form is sent; its error is shown in the form, and it can't be sent twice. */
export function onSubmit(form, save) {
  const problem = form.querySelector('.problem');
  const button = form.querySelector('.primary');
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    problem.hidden = true;
    button.disabled = true;
    try {
      await save(valuesOf(form));
    } catch (error) {
      problem.textContent = messageOf(error);
      problem.hidden = false;
    }
    button.disabled = false;
  });
}

let afterLogin = () => location.reload();

/** Opens the login dialog; `then` runs once someone is logged in. */
export function askToLogIn(then) {
  if (then !== undefined) afterLogin = then;
  $('login-dialog').showModal();
}

function showAccount(name) {
  const account = $('account');
  if (!isLoggedIn()) {
    account.replaceChildren(
      el('button', { type: 'button', class: 'link', id: 'log-in', onclick: () => askToLogIn() }, 'Log in'),
    );
    return;
  }
  const leave = () => {
    logOut();
    location.assign('/');
  };
  account.replaceChildren(
    el('span', { class: 'name', id: 'who' }, name === undefined ? '' : `Hello, ${name}`),
    el('button', { type: 'button', class: 'link', onclick: leave }, 'Log out'),
  );
}

async function greet() {
  showAccount();
  if (!isLoggedIn()) return;
  try {
    const { firstName, username } = await api.customer();
    showAccount(firstName || username);
  } catch (error) {
    console.warn('account:', messageOf(error));
  }
}

async function entered(dialog) {
  dialog.close();
  await Promise.all([greet(), refreshBasket()]);
  await afterLogin();
}

export function start() {
  $('theme').addEventListener('click', toggleTheme);
  for (const anchor of document.querySelectorAll('.top-links a')) {
    if (new URL(anchor.href).pathname === location.pathname) anchor.setAttribute('aria-current', 'page');
  }
  onSubmit($('login-form'), async ({ username, password }) => {
    await api.login(username, password).catch((error) => {
      throw error.status === 401 ? new ApiError(401, 'That name and password do not belong together.') : error;
    });
    await entered($('login-dialog'));
  });
  onSubmit($('register-form'), async (account) => {
    await api.register(account).catch((error) => {
      throw error.status === 500 ? new ApiError(500, 'That did not work: the username may be taken.') : error;
    });
    await entered($('register-dialog'));
  });
  $('to-register').addEventListener('click', () => {
    $('login-dialog').close();
    $('register-dialog').showModal();
  });
  greet();
  refreshBasket();
}
