// Light or dark: the system's choice until the visitor makes another.
const KEY = 'theme';

const stored = localStorage.getItem(KEY);
if (stored === 'light' || stored === 'dark') document.documentElement.dataset.theme = stored;

export function toggleTheme() {
  const dark = getComputedStyle(document.documentElement).colorScheme === 'dark';
  const isDark =
    dark || (!document.documentElement.dataset.theme && matchMedia('(prefers-color-scheme: dark)').matches);
  const next = isDark ? 'light' : 'dark';
  document.documentElement.dataset.theme = next;
  localStorage.setItem(KEY, next);
}
