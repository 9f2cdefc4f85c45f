// The shop's API, as the pages use it.

/** Thrown for every answer that is not a good one; `status` is 0 when there was none. */
export class ApiError extends Error {
  constructor(status, message) {
    super(message);
    this.name = 'ApiError';
    this.status = status;
  }
}

async function request(path, { method = 'GET', body, headers = {} } = {}) {
  let response;
  try {
    response = await fetch(path, {
      method,
      headers: body === undefined ? headers : { ...headers, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  } catch {
    throw new ApiError(0, 'The shop does not answer.');
  }
  const text = await response.text();
  const value = parsed(text);
  if (!response.ok) throw new ApiError(response.status, value?.message || `The shop answered ${response.status}.`);
  return { text, value };
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The JSON of an answer. The front end says 200 even when what stands behind it failed, so the body is looked at. */
async function data(path, options) {
  const { text, value } = await request(path, options);
  if (value === undefined) throw new ApiError(502, text.trim().slice(0, 120) || 'The answer was empty.');
  if (value.status_code >= 400 && value.error) throw new ApiError(value.status_code, value.error);
  return value;
}

const query = (values) => new URLSearchParams(Object.entries(values).filter(([, value]) => value !== '')).toString();

export const api = {
  socks: async ({ tags = [], sort = 'id', page = 1, size = 9 } = {}) => {
    const socks = await data(`/catalogue?${query({ tags: tags.join(','), sort, page, size })}`);
    if (!Array.isArray(socks)) throw new ApiError(502, 'That was no list of socks.');
    return socks;
  },
  count: async (tags) => (await data(`/catalogue/size?${query({ tags: tags.join(',') })}`)).size,
  sock: (id) => data(`/catalogue/${encodeURIComponent(id)}`),
  tags: async () => (await data('/tags')).tags,
  cart: () => data('/cart'),
  addToCart: (id) => request('/cart', { method: 'POST', body: { id } }),
  setQuantity: (id, quantity) => request('/cart/update', { method: 'POST', body: { id, quantity } }),
  removeFromCart: (id) => request(`/cart/${encodeURIComponent(id)}`, { method: 'DELETE' }),
  emptyCart: () => request('/cart', { method: 'DELETE' }),
  login: (username, password) =>
    request('/login', { headers: { authorization: `Basic ${base64(`${username}:${password}`)}` } }),
  register: (account) => request('/register', { method: 'POST', body: account }),
  customer: () => data('/customers/me'),
  address: () => data('/address'),
  card: () => data('/card'),
  addAddress: (address) => data('/addresses', { method: 'POST', body: address }),
  addCard: (card) => data('/cards', { method: 'POST', body: card }),
  orders: () => data('/orders'),
  placeOrder: () => data('/orders', { method: 'POST' }),
};

/** UTF-8, which btoa alone can't. */
function base64(text) {
  return btoa(String.fromCharCode(...new TextEncoder().encode(text)));
}

export function isLoggedIn() {
  return /(?:^|;\s*)logged_in=[^;]/.test(document.cookie);
}

export function logOut() {
  // biome-ignore lint/suspicious/noDocumentCookie: the Cookie Store API is not everywhere yet, and only in secure contexts
  document.cookie = 'logged_in=; Path=/; Max-Age=0';
}
