// Owns what forms about bindings have in common, from whichever end a binding is seen. Never draws bindings.

import { at, call, get } from '../api.js';
import { ask } from '../dialog.js';
import { argumentsField } from './arguments.js';

/** So many names are offered where one is asked for. */
const OFFERED = 500;

/** The names of queues or exchanges, for a field that asks for one. */
export async function namesIn(kind, vhost) {
  const page = `?page=1&page_size=${OFFERED}&columns=name`;
  const { items } = await get(`/${kind}/${encodeURIComponent(vhost)}${page}`);
  return items.map(({ name }) => name).filter((name) => name !== '');
}

/** The field for the arguments of a binding to an exchange of a type; null: it may be of any. */
export function bindingArguments(type, known) {
  const fits = ({ only_for: only }) => type === null || only === null || only.includes(type);
  return {
    name: 'arguments',
    label: 'Arguments',
    widget: argumentsField({ word: 'an argument', known: () => known.filter(fits) }),
  };
}

/** Takes a binding away, after a question. */
export function unbind(vhost, row) {
  const kind = row.destination_type === 'queue' ? 'q' : 'e';
  return ask(
    `Unbind ${row.destination}?`,
    `It gets nothing more from ${row.source} with the key '${row.routing_key}'.`,
    'Unbind',
    async () => {
      await call(
        'DELETE',
        at`/bindings/${vhost}/e/${row.source}/${kind}/${row.destination}/${row.properties_key}`,
      );
      return 'Unbound';
    },
  );
}
