// Owns the verb `leveret cluster place`: it has a vhost move to another group, and waits until it is there. Never moves it.

import { Option } from 'commander';
import { UserError } from '../../../util/user-error.ts';
import { type HttpApi, part } from '../../verb/http-api.ts';
import type { LiveVerb } from '../../verb/live.ts';

/** How often it asks where the vhost is, ms. */
const ASK_MS = 250;

/** What is read of the API. */
interface Placed {
  readonly group: string;
  readonly moving_to: string | null;
  readonly move_fault: string | null;
}

export const placeVerb: LiveVerb = {
  name: 'place',
  arguments: '<vhost> <group>',
  about: 'Have a vhost be in another group of the cluster, with all that is in it.',
  options: [new Option('--no-wait', 'Return once the move has begun.')],
  more:
    'The clients of the vhost are told 320 and can come again once it is there. To call a move off,\n' +
    'place the vhost in the group that it leaves.',
  run: async (api, [vhost, group], options) => {
    const name = part(String(vhost));
    await api.call('PUT', `/cluster/vhosts/${name}`, { group: String(group) });
    if (options['wait'] === false) return `Vhost '${vhost}' begins to move to group '${group}'\n`;
    const { group: is, move_fault: fault } = await arrival(api, name);
    if (is === group) return `Vhost '${vhost}' is in group '${is}'\n`;
    throw new UserError(
      `vhost '${vhost}' stays in group '${is}': ${fault ?? 'the move was called off'}`,
    );
  },
};

/** Waits until a vhost does not move. */
async function arrival(api: HttpApi, vhost: string): Promise<Placed> {
  for (;;) {
    const place = await api.get<Placed>(`/cluster/vhosts/${vhost}`);
    if (place.moving_to === null) return place;
    await new Promise((resolve) => setTimeout(resolve, ASK_MS));
  }
}
