// Owns which vhost the pages show: all, or the one that the reader chose for this tab. Never asks the broker for what is
// in it.

import { h } from '../dom.js';

const KEY = 'leveret.vhost';

/** The vhost that was chosen; '': all. An address may name one, such as a bookmark. */
export function chosenVhost() {
  const [, text = ''] = location.hash.split('?');
  const named = new URLSearchParams(text).get('vhost');
  if (named !== null) sessionStorage.setItem(KEY, named);
  return sessionStorage.getItem(KEY) ?? '';
}

/** Forgets the choice. */
function showAllVhosts() {
  sessionStorage.removeItem(KEY);
}

/**
 * What to choose with; nothing where there is one vhost alone. `act` is called when another was chosen.
 * @param {string[]} names
 * @param {() => unknown} act
 */
export function vhostChooser(names, act) {
  const now = chosenVhost();
  if (names.length < 2 && now === '') return null;
  const all = now === '' || names.includes(now) ? names : [...names, now];
  const select = h(
    'select',
    {
      'aria-label': 'Vhost shown',
      onchange: () => {
        if (select.value === '') showAllVhosts();
        else sessionStorage.setItem(KEY, select.value);
        const [before = '#/', text = ''] = location.hash.split('?');
        // The picture of one vhost is of the one that is chosen now.
        const path = before.replace(/^#\/topology\/.*/, '#/topology');
        const params = new URLSearchParams(text);
        for (const name of [...params.keys()])
          if (/(^|\.)(vhost|page)$/.test(name)) params.delete(name);
        history.replaceState(null, '', `${path}${params.size === 0 ? '' : `?${params}`}`);
        act();
      },
    },
    h('option', { value: '' }, 'all vhosts'),
    all.map((name) => h('option', { value: name }, name)),
  );
  select.value = now;
  return select;
}
