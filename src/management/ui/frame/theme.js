// Owns whether the pages are light or dark: as the system says, or as the reader chose. Never draws anything.

const KEY = 'leveret.theme';
const prefersDark = matchMedia('(prefers-color-scheme: dark)');

function themeNow() {
  return localStorage.getItem(KEY) ?? (prefersDark.matches ? 'dark' : 'light');
}

function apply() {
  document.documentElement.dataset.theme = themeNow();
  window.dispatchEvent(new Event('leveret-theme'));
}

/** Takes the other theme, and keeps it for the next visit. */
export function switchTheme() {
  localStorage.setItem(KEY, themeNow() === 'dark' ? 'light' : 'dark');
  apply();
}

/** Applies the theme, now and whenever the system changes its own. */
export function followTheme() {
  prefersDark.addEventListener('change', apply);
  apply();
}
