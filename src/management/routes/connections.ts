// Owns the routes of connections, channels and consumers, and of those that are closed.

import type { ChannelView, ConnectionView } from '../../broker/view/host.ts';
import type { Call } from '../call.ts';
import { notAuthorised, notFound } from '../http-error.ts';
import { list, pick } from '../listing.ts';
import { type Level, REFUSALS } from '../person.ts';
import { get, type Route, remove } from '../route.ts';

/** What a connection is told that is closed without a reason. */
const CLOSE_REASON = 'Closed via management plugin';

export const CONNECTION_ROUTES: readonly Route[] = [
  get('/connections', 'management', (call) => list(call, connections(call))),
  get('/connections/:name', 'management', (call) => pick(connection(call), call.query['columns'])),
  remove('/connections/:name', 'management', (call) => {
    const { name } = connection(call, 'administrator');
    return close(call, [name]);
  }),
  get('/connections/:name/channels', 'management', (call) => {
    const { name } = connection(call);
    return list(
      call,
      channels(call, (each) => each.connection_details.name === name),
    );
  }),
  get('/connections/username/:user', 'management', (call) =>
    list(
      call,
      connections(call, ({ user }) => user === call.param('user')),
    ),
  ),
  remove('/connections/username/:user', 'administrator', (call) => {
    const all = [...connections(call, ({ user }) => user === call.param('user'))];
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
  get('/channels/:name', 'management', (call) => {
    for (const each of call.view.look.host.channels()) {
      if (each.name !== call.param('name')) continue;
      if (!call.reaches('monitoring') && each.user !== call.person.name) {
        throw notAuthorised(REFUSALS.policymaker);
      }
      const details = [...call.view.look.consumers(call.watchedVhosts())].filter(
        ({ channel_details: at }) => at.name === each.name,
      );
      return pick(
        { ...each, consumer_details: details, publishes: [], deliveries: [] },
        call.query['columns'],
      );
    }
    throw notFound();
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
function* consumers(call: Call): Iterable<object> {
  const all = call.reaches('monitoring');
  const vhosts = call.params['vhost'] === undefined ? call.watchedVhosts() : [call.vhost()];
  for (const each of call.view.look.consumers(vhosts)) {
    if (all || each.channel_details.user === call.person.name) yield each;
  }
}

/** Those of all users for who monitors, and one's own for anybody else. */
function* connections(
  call: Call,
  wanted: (each: ConnectionView) => boolean = () => true,
): Iterable<ConnectionView> {
  const all = call.reaches('monitoring');
  for (const each of call.view.look.host.connections()) {
    if ((all || each.user === call.person.name) && wanted(each)) yield each;
  }
}

function* channels(
  call: Call,
  wanted: (each: ChannelView) => boolean = () => true,
): Iterable<ChannelView> {
  const all = call.reaches('monitoring');
  for (const each of call.view.look.host.channels()) {
    if ((all || each.user === call.person.name) && wanted(each)) yield each;
  }
}

/** The connection of the path: the person's own, or anybody's from that level on. */
function connection(call: Call, level: Level = 'monitoring'): ConnectionView {
  for (const each of call.view.look.host.connections()) {
    if (each.name !== call.param('name')) continue;
    if (call.reaches(level) || each.user === call.person.name) return each;
    throw notAuthorised(REFUSALS.policymaker);
  }
  throw notFound();
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
