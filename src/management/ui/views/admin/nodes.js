// Owns the page of a cluster: its nodes with what each does, and the log that they share. Never decides which node leads.

import { call, get } from '../../api.js';
import { ask } from '../../dialog.js';
import { bytes, count, facts, h, many, messageOf, span, tag, toast } from '../../dom.js';
import { update } from '../../morph.js';
import { button } from '../../parts/page.js';
import { table } from '../../table.js';

/** @param {string[]} _rest @param {{ tags: string[] }} user */
export async function show(_rest, user) {
  const about = h('section', { class: 'card' });
  const rows = table({
    caption: 'Nodes',
    stack: true,
    empty: 'No node is known.',
    columns: [
      { title: 'Node', name: true, cell: (row) => row.name },
      { title: 'Role', cell: role },
      { title: 'Version', cell: (row) => row.version },
      { title: 'AMQP', cell: (row) => row.amqp ?? '–' },
      { title: 'Up', num: true, cell: (row) => (row.running ? span(row.uptime) : '–') },
      { title: 'Memory', num: true, cell: (row) => bytesOr(row.mem_used) },
      { title: 'Disk free', num: true, wide: true, cell: (row) => bytesOr(row.disk_free) },
      { title: 'Record', num: true, cell: (row) => count(row.applied_seq) },
      { title: 'Behind', num: true, cell: behind },
      { title: 'Snapshots', num: true, cell: (row) => row.snapshots.map(count).join(', ') || '–' },
    ],
  });
  const groups = table({
    caption: 'Groups of vhosts',
    stack: true,
    empty: 'No group is led.',
    columns: [
      { title: 'Group', name: true, cell: (row) => row.name },
      { title: 'Leader', cell: (row) => row.leader },
      { title: 'AMQP', cell: (row) => row.amqp ?? '–' },
    ],
  });
  const beside = h('section', { class: 'card flat' }, h('h2', null, 'Groups'), groups.element);
  const refresh = async () => {
    const [cluster, nodes] = await Promise.all([get('/cluster'), get('/nodes')]);
    const usage = new Map(nodes.map((each) => [each.name, each]));
    rows.show(cluster.nodes.map((row) => ({ ...usage.get(row.name), ...row })));
    // One group alone is what the whole page is about.
    beside.hidden = cluster.groups.length < 2;
    groups.show(cluster.groups);
    update(about, h('h2', null, 'Log'), facts(logFacts(cluster)));
  };
  const acts = user.tags.includes('administrator')
    ? [button('Make a snapshot', () => snapshot(refresh)), ' ', button('Step down', stepDown)]
    : [];
  const element = h(
    'div',
    null,
    h('div', { class: 'head' }, h('h1', null, 'Nodes'), h('div', null, acts)),
    h('section', { class: 'card flat' }, rows.element),
    about,
    beside,
  );
  return { element, refresh };
}

/** @param {number | undefined} value */
function bytesOr(value) {
  return value === undefined ? '–' : bytes(value);
}

/** @param {any} row */
function role({ running, role: what }) {
  if (!running) return tag('does not run', 'bad');
  return what === 'leader' ? tag('leader') : tag(what, 'grey');
}

/** @param {any} row */
function behind({ lag_records: records, lag_ms: ms, running }) {
  if (records === 0) return '–';
  const text = many(records, 'record');
  return running && ms > 0 ? `${text}, ${span(ms)}` : text;
}

/** @param {any} cluster @returns {([any, any] | null)[]} */
function logFacts({ name, group, leader, log, main_fault: fault }) {
  const head = /** @type {[any, any][]} */ ([
    ['Cluster', `${name}, group ${group}`],
    ['Leader', leader ?? tag('none is known', 'bad')],
    ...(fault === null ? [] : [['Group main', tag(fault, 'warn')]]),
  ]);
  if (log === null) return [...head, ['Log', tag('it has not answered', 'bad')]];
  const kept = `${log.replicas_current} of ${log.replicas_wanted} machines have all of it`;
  const few = log.replicas_current < log.replicas_wanted;
  const behindBy = log.replicas.filter((each) => !each.current);
  return [
    ...head,
    ['Records', `${count(log.first_seq)} to ${count(log.last_seq)}`],
    ['Size', `${bytes(log.bytes)} of ${bytes(log.bytes_max)}, then publishers wait`],
    ['Kept', few ? tag(kept, 'warn') : kept],
    behindBy.length === 0
      ? null
      : ['Behind', behindBy.map((each) => `${each.name} (${many(each.lag, 'record')})`).join(', ')],
    ['Ordered by', log.stream_leader || tag('none now', 'warn')],
    ['Synced', synced(log.sync_always)],
  ];
}

/** @param {boolean | null} syncs */
function synced(syncs) {
  if (syncs === null) return 'not known';
  return syncs ? 'before each confirm' : tag('no: a power cut may lose what was confirmed', 'bad');
}

/** @param {() => Promise<void>} refresh */
async function snapshot(refresh) {
  try {
    const { snapshot_seq: seq } = await call('PUT', '/cluster/snapshot', {});
    toast(`There is a snapshot up to record ${count(seq)}`);
    await refresh();
  } catch (error) {
    toast(messageOf(error), true);
  }
}

function stepDown() {
  return ask(
    'Step down',
    'Another node leads within moments. Connections are closed, and clients come again; what was confirmed is kept.',
    'Step down',
    async () => {
      await call('PUT', '/cluster/step-down', {});
      toast('The leader steps down');
    },
  );
}
