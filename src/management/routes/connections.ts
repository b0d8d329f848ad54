// Owns the routes of connections, channels and consumers, and of those that are closed.

import {
  type ChannelView,
  type ConnectionView,
  channelName,
  type PeerFilter,
} from '../../broker/view/host.ts';
import type { Rows } from '../../util/rows.ts';
import type { Call } from '../call.ts';
import { notAuthorised } from '../http-error.ts';
import { list, pick, wantsColumn } from '../listing.ts';
import { type Level, REFUSALS } from '../person.ts';
import { get, type Route, remove } from '../route.ts';

/** What a connection is told that is closed without a reason. */
const CLOSE_REASON = 'Closed via management plugin';

export const CONNECTION_ROUTES: readonly Route[] = [
  get('/connections', 'management', (call) => list(call, connections(call))),
  get('/connections/:name', 'management', async (call) =>
    pick(await connection(call), call.query['columns']),
  ),
  remove('/connections/:name', 'management', async (call) => {
    const { name } = await connection(call, 'administrator');
    return close(call, [name]);
  }),
  get('/connections/:name/channels', 'management', async (call) => {
    const { name } = await connection(call);
    return list(
      call,
      channels(call, (each) => each.connection === name),
    );
  }),
  get('/connections/username/:user', 'management', (call) =>
    list(
      call,
      connections(call, ({ user }) => user === call.param('user')),
    ),
  ),
  remove('/connections/username/:user', 'administrator', async (call) => {
    const all = await call.collected(connections(call, ({ user }) => user === call.param('user')));
    return close(
      call,
      all.map(({ name }) => name),
    );
  }),
  get('/vhosts/:vhost/connections', 'management', (call) => {
    const vhost = call.vhost();
    return list(
      call,
      connections(call, (each) => each.vhost === vhost),
    );
  }),
  get('/vhosts/:vhost/channels', 'management', (call) => {
    const vhost = call.vhost();
    return list(
      call,
      channels(call, (each) => each.vhost === vhost),
    );
  }),
  get('/channels', 'management', (call) => list(call, channels(call))),
  get('/channels/:name', 'management', async (call) => {
    const name = call.param('name');
    const channel = await call.first(
      call.view.look.host.channels((each) => channelName(each.connection, each.channel) === name),
    );
    if (!call.reaches('monitoring') && channel.user !== call.person.name) {
      throw notAuthorised(REFUSALS.policymaker);
    }
    const { columns } = call.query;
    const consumers = call.view.look.consumers(call.watchedVhosts(), (at) => at.name === name);
    const details = wantsColumn(columns, 'consumer_details') ? await call.collected(consumers) : [];
    return pick({ ...channel, consumer_details: details, publishes: [], deliveries: [] }, columns);
  }),
  get('/consumers', 'management', (call) => list(call, consumers(call), CONSUMER_ORDER)),
  get('/consumers/:vhost', 'management', (call) => list(call, consumers(call), CONSUMER_ORDER)),
  get('/closed', 'management', (call) => {
    const all = call.view.look.host.closed();
    const mine = call.reaches('monitoring')
      ? all
      : all.filter(({ user }) => user === call.person.name);
    return { closed: mine };
  }),
];

const CONSUMER_ORDER = ['queue.vhost', 'queue.name', 'consumer_tag'];

/** Consumers of all users from `monitoring` on, and those of the person's own channels below. */
function consumers(call: Call): Rows<object> {
  const all = call.reaches('monitoring');
  const vhosts = call.params['vhost'] === undefined ? call.watchedVhosts() : [call.vhost()];
  return call.view.look.consumers(vhosts, ({ user }) => all || user === call.person.name);
}

/** Connections of all users from `monitoring` on, and the person's own below. */
function connections(call: Call, wanted: PeerFilter = () => true): Rows<ConnectionView> {
  return call.view.look.host.connections(seenBy(call, wanted));
}

function channels(call: Call, wanted: PeerFilter = () => true): Rows<ChannelView> {
  return call.view.look.host.channels(seenBy(call, wanted));
}

function seenBy(call: Call, wanted: PeerFilter): PeerFilter {
  const all = call.reaches('monitoring');
  return (each) => (all || each.user === call.person.name) && wanted(each);
}

/** The connection of the path: one of the person's own, or of any user from that level on. */
async function connection(call: Call, level: Level = 'monitoring'): Promise<ConnectionView> {
  const name = call.param('name');
  const all = call.view.look.host.connections((each) => each.connection === name);
  const found = await call.first(all);
  if (call.reaches(level) || found.user === call.person.name) return found;
  throw notAuthorised(REFUSALS.policymaker);
}

function close(call: Call, names: readonly string[]): undefined {
  const given = call.headers['x-reason'];
  const reason = typeof given === 'string' && given !== '' ? given : CLOSE_REASON;
  for (const name of names) {
    const user = call.person.name;
    const text = 'connection closed through the API';
    const { log, admitsLine } = call.context;
    if (admitsLine(text)) log.warn({ connection: name, user, reason }, text);
  }
  call.view.look.host.closeConnections(new Set(names), reason);
  return undefined;
}
