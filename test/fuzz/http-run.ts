// Owns sending a case of requests to a broker, and judging what comes of it: no answer of 500, lists that
// answer, a start that succeeds, and things that can be deleted again. Never makes a case up.
import { connect } from 'node:net';
import type { Bystander } from './bystander.ts';
import { Finding, type FuzzBroker } from './fuzz-broker.ts';
import { type HttpStep, PREPARED } from './http-cases.ts';

const RAW_MS = 200;
/** JSON writes half of a pair as an escape, and pairs as they are. */
const LONE_IN_JSON = /(?<!\\)\\ud[89a-f]/i;
const LONE_SURROGATE = /\p{Surrogate}/u;
const LISTS = [
  'overview',
  'nodes',
  'vhosts',
  'users',
  'permissions',
  'topic-permissions',
  'queues',
  'queues/detailed',
  'exchanges',
  'bindings',
  'policies',
  'operator-policies',
  'parameters',
  'global-parameters',
  'vhost-limits',
  'user-limits',
  'connections',
  'channels',
  'consumers',
  'definitions',
];

/** Sends the requests of a case, restarts, and tidies up; throws a Finding. */
export async function runHttpCase(
  broker: FuzzBroker,
  bystander: Bystander,
  steps: readonly HttpStep[],
): Promise<void> {
  for (const step of [...PREPARED, ...steps]) {
    if (step.do === 'restart') {
      bystander.leave();
      await restart(broker, step.hard);
    } else {
      await bystander.join();
      await Promise.all([bystander.echo(), send(broker, step)]);
    }
    broker.expectSound();
  }
  await expectLists(broker);
  await deleteAll(broker);
  broker.expectSound();
}

/** Starts the broker again; what it exports must be what it exported before. */
export async function restart(broker: FuzzBroker, hard: boolean): Promise<void> {
  const before = await exported(broker);
  await broker.restart(hard);
  const after = await exported(broker);
  if (before !== after) {
    throw new Finding('restart', `a restart changes definitions: ${difference(before, after)}`);
  }
}

/** What is durable of the definitions, in an order of its own. */
async function exported(broker: FuzzBroker): Promise<string> {
  const lists = (await list(broker, 'definitions')) as Record<string, unknown>;
  const rows = (name: string): Definition[] => (lists[name] ?? []) as Definition[];
  const transient = new Set(
    ['queues', 'exchanges'].flatMap((kind) =>
      rows(kind)
        .filter(({ durable }) => durable === false)
        .map(({ vhost, name }) => `${kind} ${vhost} ${name}`),
    ),
  );
  // A row ends with what it is, or with one of the ends of the binding that it is.
  const lasts = (key: string, row: Definition): boolean =>
    ![
      `${key} ${row.vhost} ${row.name}`,
      `exchanges ${row.vhost} ${row.source}`,
      `${row.destination_type}s ${row.vhost} ${row.destination}`,
    ].some((each) => transient.has(each));
  const sorted = Object.entries(lists).map(([key, value]) => {
    if (!Array.isArray(value)) return [key, value];
    return [
      key,
      rows(key)
        .filter((row) => lasts(key, row))
        .map((each) => JSON.stringify(each))
        .sort(),
    ];
  });
  return JSON.stringify(sorted, null, 1);
}

interface Definition {
  readonly vhost?: string;
  readonly name?: string;
  readonly durable?: boolean;
  readonly source?: string;
  readonly destination?: string;
  readonly destination_type?: string;
}

function difference(before: string, after: string): string {
  const were = new Set(before.split('\n'));
  const are = new Set(after.split('\n'));
  const gone = [...were].filter((line) => !are.has(line));
  const come = [...are].filter((line) => !were.has(line));
  return `gone ${gone.join()}, come ${come.join()}`.slice(0, 2000);
}

/** Sends one of them; an answer of 500 and no answer at all are findings. */
export async function send(broker: FuzzBroker, step: HttpStep): Promise<void> {
  if (step.do === 'restart') return;
  if (step.do === 'raw') return sendRaw(broker, step.port, Buffer.from(step.bytes, 'latin1'));
  const { method, path, body, headers } = step;
  const bytes = body === null ? null : Buffer.from(body, 'latin1');
  const { status, text } = await broker.http(method, path, bytes, headers);
  // A health check that is not passed says so.
  if (status < 500 || (status === 503 && path.includes('/health'))) return;
  const what = `${method} ${path.slice(0, 300)} ${body?.slice(0, 500) ?? ''}`;
  throw new Finding('http', `${what} answers ${status}: ${text.slice(0, 300)}`);
}

/** Sends bytes, waits a moment for an answer of any kind, and hangs up. */
function sendRaw(broker: FuzzBroker, port: 'management' | 'metrics', bytes: Buffer): Promise<void> {
  const at = port === 'metrics' ? broker.metricsPort : Number(new URL(broker.managementUrl).port);
  return new Promise((resolve, reject) => {
    const socket = connect(at, '127.0.0.1', () => socket.write(bytes));
    const received: Buffer[] = [];
    const timer = setTimeout(() => socket.destroy(), RAW_MS);
    socket.on('error', () => undefined);
    socket.on('data', (part) => {
      received.push(part);
      if (received.length === 1) setTimeout(() => socket.end(), 1);
    });
    socket.on('close', () => {
      clearTimeout(timer);
      const head = Buffer.concat(received).toString('latin1', 0, 12);
      if (!/^HTTP\/1\.1 5(?!05)/.test(head)) resolve();
      else
        reject(new Finding('http', `${JSON.stringify(bytes.toString('latin1'))} answers ${head}`));
    });
  });
}

async function list(broker: FuzzBroker, name: string): Promise<unknown> {
  const { status, text } = await broker.http('GET', `/api/${name}`);
  if (status !== 200) throw new Finding('list', `GET /api/${name} answers ${status}: ${text}`);
  const lone = LONE_IN_JSON.exec(text);
  if (lone !== null) {
    const place = text.slice(Math.max(0, lone.index - 100), lone.index + 100);
    throw new Finding('list', `GET /api/${name} shows a text that is none: ${place}`);
  }
  return JSON.parse(text);
}

/** Every list answers, and what is exported can be imported. */
export async function expectLists(broker: FuzzBroker): Promise<void> {
  for (const name of LISTS) await list(broker, name);
  const { text } = await broker.http('GET', '/api/definitions');
  const { status, text: reason } = await broker.http('POST', '/api/definitions', text);
  if (status >= 300) {
    throw new Finding(
      'import',
      `an export is refused: ${status} ${reason}; ${text}`.slice(0, 3000),
    );
  }
  const metrics = await scrape(broker);
  if (metrics !== 200) throw new Finding('list', `GET /metrics/per-object answers ${metrics}`);
}

async function scrape({ metricsPort }: FuzzBroker): Promise<number> {
  const answer = await fetch(`http://127.0.0.1:${metricsPort}/metrics/per-object`);
  await answer.text();
  return answer.status;
}

interface Named {
  readonly name: string;
  readonly vhost?: string;
  readonly component?: string;
}

/** Deletes by the names that lists give: whatever could be made can be deleted. */
export async function deleteAll(broker: FuzzBroker): Promise<void> {
  const rows = async (name: string): Promise<Named[]> => (await list(broker, name)) as Named[];
  // A vhost that was made in between may have let nobody in.
  for (const { name } of await rows('vhosts')) {
    const path = `/api/permissions/${encodeURIComponent(name.toWellFormed())}/guest`;
    await broker.http('PUT', path, '{"configure":".*","write":".*","read":".*"}');
  }
  for (const { name } of await rows('users'))
    if (name !== 'guest') await remove(broker, 'users', name);
  for (const { name, vhost } of await rows('queues')) {
    if (name !== 'bystander') await remove(broker, 'queues', vhost, name);
  }
  for (const { name, vhost } of await rows('exchanges')) {
    if (name !== '' && !name.startsWith('amq.')) await remove(broker, 'exchanges', vhost, name);
  }
  for (const kind of ['policies', 'operator-policies']) {
    for (const { name, vhost } of await rows(kind)) await remove(broker, kind, vhost, name);
  }
  for (const { name, vhost, component } of await rows('parameters')) {
    await remove(broker, 'parameters', component, vhost, name);
  }
  for (const { name } of await rows('global-parameters')) {
    if (!/cluster/.test(name)) await remove(broker, 'global-parameters', name);
  }
  // Last, as it takes with it what is in it.
  for (const { name } of await rows('vhosts'))
    if (name !== '/') await remove(broker, 'vhosts', name);
}

async function remove(broker: FuzzBroker, ...parts: (string | undefined)[]): Promise<void> {
  // A name with a lone surrogate cannot be written as a path: nobody could delete it.
  const texts = parts.map((part) => part ?? '');
  const lone = texts.find((text) => LONE_SURROGATE.test(text));
  if (lone !== undefined) throw new Finding('delete', `no path leads to ${JSON.stringify(texts)}`);
  const path = `/api/${texts.map(encodeURIComponent).join('/')}`;
  const { status, text } = await broker.http('DELETE', path);
  if (status >= 300 && status !== 404)
    throw new Finding('delete', `DELETE ${path} answers ${status}: ${text}`);
  if (status === 404 && texts[0] !== 'parameters')
    throw new Finding('delete', `DELETE ${path} answers 404`);
}
