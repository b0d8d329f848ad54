// Owns the names of vhosts, and the fields of forms for what lies in one. Never what is in them.

import { get } from '../api.js';
import { chosenVhost } from '../frame/vhost.js';

/** The names of the vhosts that may be chosen. */
export async function vhostNames() {
  return (await get('/vhosts?columns=name')).map(({ name }) => name);
}

/**
 * The fields that name something in a vhost: they ask for what is new, and say what is changed.
 * @param {{ vhost: string, name: string } | null} row what is changed; null: it is new
 */
export async function nameFields(row) {
  if (row !== null) {
    return [
      { name: 'vhost', label: 'Vhost', type: 'select', options: [row.vhost] },
      { name: 'name', label: 'Name', type: 'select', options: [row.name] },
    ];
  }
  return [await vhostField(), { name: 'name', label: 'Name', required: true, about: /\bname\b/ }];
}

/** The field of a form that asks for a vhost; it begins with the one that is shown. */
export async function vhostField() {
  const options = await vhostNames();
  const chosen = chosenVhost();
  return {
    ...{ name: 'vhost', label: 'Vhost', type: 'select', options },
    value: options.includes(chosen) ? chosen : options[0],
  };
}
