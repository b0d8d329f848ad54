// Owns the routes of connections, channels and consumers, and of those that are closed.

import { isUtf8 } from 'node:buffer';
import {
  type ChannelView,
  type ConnectionView,
  channelName,
  type PeerFilter,
} from '../../broker/view/server-port.ts';
import type { Rows } from '../../util/rows.ts';
import type { Call } from '../call.ts';
import { checkRanges } from '../history/ranges.ts';
import { notAuthorised } from '../http-error.ts';
import { columnFilter, list, listWhole } from '../listing.ts';
import { type AccessLevel, REFUSALS } from '../principal.ts';
import { get, type Route, remove } from '../route.ts';

/** What a connection is told that is closed without a reason. */
const CLOSE_REASON = 'Closed via management plugin';

export const CONNECTION_ROUTES: readonly Route[] = [
  get('/connections', 'management', (call) => list(call, connections(call))),
  get('/connections/:name', 'management', (call) => {
    checkRanges(call);
    return connection(call);
  }),
  remove('/connections/:name', 'management', async (call) => {
    const { name } = await connection(call, 'administrator');
    return close(call, [name]);
  }),
  get('/connections/:name/channels', 'management', async (call) => {
    checkRanges(call);
    const { name } = await connection(call);
    return listWhole(
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
    return listWhole(
      call,
      connections(call, (each) => each.vhost === vhost),
    );
  }),
  get('/vhosts/:vhost/channels', 'management', (call) => {
    const vhost = call.vhost();
    return listWhole(
      call,
      channels(call, (each) => each.vhost === vhost),
    );
  }),
  get('/channels', 'management', (call) => list(call, channels(call))),
  get('/channels/:name', 'management', async (call) => {
    checkRanges(call);
    const name = call.param('name');
    const channel = await call.first(
      call.view.snapshots.host.channels(
        (each) => channelName(each.connection, each.channel) === name,
      ),
    );
    if (!call.reaches('monitoring') && channel.user !== call.principal.name) {
      throw notAuthorised(REFUSALS.policymaker);
    }
    const consumers = call.view.snapshots.consumers(call.watchedVhosts(), (at) => at.name === name);
    const details = columnFilter(call.query)('consumer_details')
      ? await call.collected(consumers)
      : [];
    return { ...channel, consumer_details: details, publishes: [], deliveries: [] };
  }),
  get('/consumers', 'management', (call) => listWhole(call, consumers(call), CONSUMER_ORDER)),
  get('/consumers/:vhost', 'management', (call) =>
    listWhole(call, consumers(call), CONSUMER_ORDER),
  ),
  get('/closed', 'management', (call) => {
    const all = call.view.snapshots.host.closed();
    const mine = call.reaches('monitoring')
      ? all
      : all.filter(({ user }) => user === call.principal.name);
    return { closed: mine };
  }),
];

const CONSUMER_ORDER = ['queue.vhost', 'queue.name', 'consumer_tag'];

/** Consumers of all users from `monitoring` on, and those of the user's own channels below. */
function consumers(call: Call): Rows<object> {
  const all = call.reaches('monitoring');
  const vhosts = call.params['vhost'] === undefined ? call.watchedVhosts() : [call.vhost()];
  return call.view.snapshots.consumers(vhosts, ({ user }) => all || user === call.principal.name);
}

/** Connections of all users from `monitoring` on, and the user's own below. */
function connections(call: Call, wanted: PeerFilter = () => true): Rows<ConnectionView> {
  checkRanges(call);
  return call.view.snapshots.host.connections(seenBy(call, wanted));
}

function channels(call: Call, wanted: PeerFilter = () => true): Rows<ChannelView> {
  checkRanges(call);
  return call.view.snapshots.host.channels(seenBy(call, wanted));
}

function seenBy(call: Call, wanted: PeerFilter): PeerFilter {
  const all = call.reaches('monitoring');
  return (each) => (all || each.user === call.principal.name) && wanted(each);
}

/** The connection of the path: one of the user's own, or of any user from that level on. */
async function connection(call: Call, level: AccessLevel = 'monitoring'): Promise<ConnectionView> {
  const name = call.param('name');
  const all = call.view.snapshots.host.connections((each) => each.connection === name);
  const found = await call.first(all);
  if (call.reaches(level) || found.user === call.principal.name) return found;
  throw notAuthorised(REFUSALS.policymaker);
}

/** What a header says: its bytes as UTF-8; as they stand when they are none. */
function textOf(header: string): string {
  const bytes = Buffer.from(header, 'latin1');
  return isUtf8(bytes) ? bytes.toString('utf8') : header;
}

function close(call: Call, names: readonly string[]): undefined {
  const given = call.headers['x-reason'];
  const reason = typeof given === 'string' && given !== '' ? textOf(given) : CLOSE_REASON;
  for (const name of names) {
    const user = call.principal.name;
    const text = 'connection closed through the API';
    const { log, admitsLine } = call.context;
    if (admitsLine(text)) log.warn({ connection: name, user, reason }, text);
  }
  call.view.snapshots.host.closeConnections(new Set(names), reason);
  return undefined;
}
