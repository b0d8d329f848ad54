// Owns the names of vhosts, for lists and forms to choose from. Never what is in them.

import { get } from '../api.js';
import { chosenVhost } from '../frame/vhost.js';

/** The names of the vhosts that may be chosen. */
export async function vhostNames() {
  return (await get('/vhosts?columns=name')).map(({ name }) => name);
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
