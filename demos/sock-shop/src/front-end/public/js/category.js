import { api } from './api.js';
import { $, el, messageOf, skeletons, sockCard, sorry, start } from './page.js';

const SIZE = 6;

function state() {
  const query = new URLSearchParams(location.search);
  const tags = (query.get('tags') ?? '').split(',').filter(Boolean);
  return { tags, sort: query.get('sort') ?? 'id', page: Number(query.get('page')) || 1 };
}

function addressOf({ tags, sort, page }) {
  const query = new URLSearchParams();
  if (tags.length > 0) query.set('tags', tags.join(','));
  if (sort !== 'id') query.set('sort', sort);
  if (page > 1) query.set('page', String(page));
  const text = query.toString();
  return text === '' ? '/category.html' : `/category.html?${text}`;
}

async function show() {
  const wanted = state();
  const grid = $('socks');
  grid.setAttribute('aria-busy', 'true');
  grid.replaceChildren(...skeletons(SIZE));
  try {
    const [socks, count] = await Promise.all([api.socks({ ...wanted, size: SIZE }), api.count(wanted.tags)]);
    grid.replaceChildren(...socks.map(sockCard));
    $('count').textContent = `Showing ${socks.length} of ${count}`;
    const pages = Math.ceil(count / SIZE);
    $('pages').replaceChildren(
      ...Array.from({ length: pages > 1 ? pages : 0 }, (_, index) => {
        const page = index + 1;
        const current = page === wanted.page ? 'page' : undefined;
        return el(
          'a',
          { href: addressOf({ ...wanted, page }), 'aria-current': current, 'aria-label': `Page ${page}` },
          String(page),
        );
      }),
    );
  } catch (error) {
    $('count').textContent = '';
    $('pages').replaceChildren();
    grid.replaceChildren(sorry(error, show));
  }
  grid.removeAttribute('aria-busy');
}

async function filters() {
  const form = $('filters');
  const { tags: chosen, sort } = state();
  form.elements.sort.value = sort;
  try {
    const tags = await api.tags();
    $('tags').replaceChildren(
      ...tags.map((tag) =>
        el(
          'label',
          { class: 'chip' },
          el('input', { type: 'checkbox', name: 'tag', value: tag, checked: chosen.includes(tag) }),
          tag,
        ),
      ),
    );
  } catch (error) {
    $('tags').replaceChildren(el('p', { class: 'hint' }, messageOf(error)));
  }
  form.addEventListener('change', () => {
    const values = new FormData(form);
    history.pushState({}, '', addressOf({ tags: values.getAll('tag'), sort: values.get('sort'), page: 1 }));
    show();
  });
}

addEventListener('popstate', () => location.reload());
start();
filters();
show();
