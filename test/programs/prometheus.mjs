// Runs Debian's promtool and Prometheus against a Leveret with traffic: the text of all paths of the metrics is checked, a
// server scrapes them over HTTP and HTTPS, and what dashboards and alerts of RabbitMQ read has data there.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Broker, findFreePort } from '../crash/broker.mjs';
import { expressionsOf, READ, tableOf } from './promql.mjs';
import { startTraffic } from './traffic.mjs';

const LIMIT_MS = 60_000;
const SAMPLES = 5;
const FAMILIES = [
  'auth_attempt_detailed_metrics',
  'auth_attempt_metrics',
  'channel_exchange_metrics',
  'channel_metrics',
  'channel_process_metrics',
  'channel_queue_exchange_metrics',
  'channel_queue_metrics',
  'connection_churn_metrics',
  'connection_coarse_metrics',
  'connection_metrics',
  'exchange_bindings',
  'exchange_metrics',
  'exchange_names',
  'node_coarse_metrics',
  'node_metrics',
  'node_persister_metrics',
  'queue_coarse_metrics',
  'queue_consumer_count',
  'queue_delivery_metrics',
  'queue_exchange_metrics',
  'queue_metrics',
  'ra_metrics',
  'vhost_status',
];
const DETAILED = `/metrics/detailed?${FAMILIES.map((name) => `family=${name}`).join('&')}`;
const PATHS = ['/metrics', '/metrics/per-object', DETAILED, '/metrics/memory-breakdown'];

/** What promtool says of names of the runtime: prom-client gives them, and dashboards of Node.js read them. */
const OF_RUNTIME = /^nodejs_active_(handles|requests|resources)_total (.*)$/;

export async function runPrometheus({ broker, oracle }) {
  const rows = [];
  const note = (step, result) => rows.push({ program: 'prometheus', step, result });
  const folder = join(broker.folder, 'prometheus');
  mkdirSync(folder);
  const ports = { plain: await findFreePort(), tls: await findFreePort() };
  const watched = await startWatched(folder, ports);
  let server = null;
  try {
    const stopTraffic = await startTraffic(watched.url);
    const theirs = oracle === undefined ? null : await complaintsOfRabbitmq(oracle);
    for (const path of PATHS) {
      const text = await (await fetch(`http://127.0.0.1:${ports.plain}${path}`)).text();
      note(`promtool check metrics ${path.split('?')[0]}`, judge(text, theirs));
    }
    server = await startPrometheus(folder, ports);
    note('scrapes over HTTP and HTTPS', await scraped(server));
    for (const row of await ask(server)) note(row.step, row.result);
    await stopTraffic();
  } catch (error) {
    note('all', `failed: ${error.message}`);
  } finally {
    server?.stop();
    await server?.ended;
    await watched.broker.stop(LIMIT_MS);
  }
  return rows;
}

async function startWatched(folder, ports) {
  const [certificate, key] = ['certificate.pem', 'key.pem'].map((name) => join(folder, name));
  const made = spawnSync(
    'openssl',
    // biome-ignore format: one option a line is no help
    ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=localhost',
      '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', certificate],
    { encoding: 'utf8' },
  );
  if (made.status !== 0) throw new Error(`openssl: ${made.stderr}`);
  const port = await findFreePort();
  const plan = { broker: 'leveret', leveret: 'bin/leveret', folder, definitions: null };
  const broker = new Broker(plan, port, 0);
  broker.command[2] = {
    LEVERET_PROMETHEUS_TCP_PORT: String(ports.plain),
    LEVERET_PROMETHEUS_SSL_PORT: String(ports.tls),
    LEVERET_PROMETHEUS_SSL_CERTFILE: certificate,
    LEVERET_PROMETHEUS_SSL_KEYFILE: key,
  };
  process.on('exit', () => broker.killNow());
  broker.spawn();
  await broker.listening();
  return { broker, url: `amqp://guest:guest@127.0.0.1:${port}` };
}

/** What promtool says of one text, a line each. */
function complaintsOf(text) {
  const { status, stdout, stderr, error } = spawnSync('promtool', ['check', 'metrics'], {
    input: text,
    encoding: 'utf8',
  });
  const lines = (stdout + stderr).split('\n').filter((line) => line !== '');
  // It ends with 3 where it complains, and with 1 where it cannot read.
  if (error !== undefined || (status !== 0 && status !== 3)) {
    throw new Error(`promtool: ${error?.message ?? lines[0]}`);
  }
  return lines;
}

/** What promtool says of RabbitMQ's own metrics, without the names of the metrics. */
async function complaintsOfRabbitmq(url) {
  const { username, password, host, hostname } = new URL(url);
  const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
  const overview = await fetch(`http://${host}/api/overview`, { headers: { authorization } });
  const { listeners } = await overview.json();
  const { port } = listeners.find(({ protocol }) => protocol === 'http/prometheus');
  const text = await (await fetch(`http://${hostname}:${port}/metrics`)).text();
  return new Set(complaintsOf(text).map((line) => line.replace(/^\S+ /, '')));
}

function judge(text, theirs) {
  if (!text.includes('rabbitmq_')) return 'failed: no metrics';
  const lines = complaintsOf(text);
  const wrong = lines.filter((line) => {
    const [, , complaint] = OF_RUNTIME.exec(line) ?? [];
    return complaint === undefined || theirs?.has(complaint) === false;
  });
  if (wrong.length > 0) return `failed: ${wrong.join('; ')}`;
  const also = theirs === null ? '' : ', as RabbitMQ has them';
  return lines.length === 0 ? 'nothing to complain of' : `${lines.length} names of Node.js${also}`;
}

async function startPrometheus(folder, ports) {
  const port = await findFreePort();
  const job = (name, { path, params = {}, tls = false }) => ({
    job_name: name,
    metrics_path: path,
    params,
    ...(tls
      ? { scheme: 'https', tls_config: { ca_file: join(folder, 'certificate.pem') } }
      : { scheme: 'http' }),
    static_configs: [
      { targets: [`127.0.0.1:${tls ? ports.tls : ports.plain}`], labels: { instance: name } },
    ],
  });
  const config = {
    global: { scrape_interval: '1s', scrape_timeout: '1s' },
    scrape_configs: [
      job('aggregated', { path: '/metrics' }),
      job('per-object', { path: '/metrics/per-object' }),
      job('detailed', { path: '/metrics/detailed', params: { family: FAMILIES } }),
      job('memory-breakdown', { path: '/metrics/memory-breakdown' }),
      job('tls', { path: '/metrics', tls: true }),
    ],
  };
  // JSON is YAML, too.
  const file = join(folder, 'prometheus.yml');
  writeFileSync(file, JSON.stringify(config));
  const child = spawn(
    'prometheus',
    [
      `--config.file=${file}`,
      `--storage.tsdb.path=${join(folder, 'tsdb')}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let said = '';
  child.stderr.on('data', (chunk) => {
    said = (said + chunk).slice(-2000);
  });
  const stop = () => child.kill();
  process.on('exit', stop);
  const ended = once(child, 'exit');
  const jobs = config.scrape_configs.map(({ job_name }) => job_name);
  const query = async (text) => {
    const url = `http://127.0.0.1:${port}/api/v1/query?query=${encodeURIComponent(text)}`;
    const response = await fetch(url).catch(() => null);
    if (response === null) {
      if (child.exitCode !== null) throw new Error(`prometheus ended: ${said}`);
      return null;
    }
    const { status, data, error } = await response.json();
    return status === 'success' ? data.result : error;
  };
  return { query, jobs, stop, ended };
}

/** Waits until each job was scraped a few times, with success. */
async function scraped({ query, jobs }) {
  const until = Date.now() + LIMIT_MS;
  while (Date.now() < until) {
    const found = await query(`sum by(job) (sum_over_time(up[60s])) >= ${SAMPLES}`);
    if (Array.isArray(found) && found.length === jobs.length) return jobs.join(', ');
    await sleep(500);
  }
  return `failed: ${JSON.stringify(await query('up'))}`;
}

async function ask({ query }) {
  const rows = [];
  const [identity] = await query('rabbitmq_identity_info{job="aggregated"}');
  const cluster = identity.metric.rabbitmq_cluster;
  for (const endpoint of ['aggregated', 'per-object', 'detailed']) {
    const expressions = expressionsOf(endpoint, cluster);
    const wrong = [];
    for (const expression of expressions) {
      const why = lacking(await query(expression.query), expression.moves);
      if (why !== '') wrong.push(`${expression.shows}: ${why}: ${expression.query}`);
    }
    const result = `${expressions.length - wrong.length} of ${expressions.length} have data`;
    rows.push({ step: `expressions for ${endpoint}`, result });
    for (const each of wrong) rows.push({ step: endpoint, result: `failed: ${each}` });
  }
  const table = await query(tableOf(cluster));
  const { labels, empty } = READ.table;
  const missing = [...labels, ...READ.join.labels].filter(
    (name) => (table[0]?.metric[name] === undefined) !== name in empty,
  );
  const none = Object.entries(empty).map(([name, why]) => `${name} is empty: ${why}`);
  rows.push({
    step: 'table of nodes',
    result: missing.length === 0 ? none.join('; ') : `failed: ${missing}`,
  });
  const dead = await query(
    'rate(rabbitmq_global_messages_dead_lettered_maxlen_total{job="aggregated"}[60s]) > 0',
  );
  const strategies = dead.map(({ metric }) => metric.dead_letter_strategy).sort();
  const both = strategies.join() === 'at_most_once,disabled';
  rows.push({ step: 'dead letters', result: `${both ? '' : 'failed: '}${strategies}` });
  for (const [name, why] of Object.entries(READ.absent)) {
    const found = await query(name);
    rows.push({ step: name, result: found.length === 0 ? `none: ${why}` : 'failed: it is there' });
  }
  return rows;
}

function lacking(found, moves) {
  if (typeof found === 'string') return found;
  if (found === null || found.length === 0) return 'no data';
  const values = found.map(({ value }) => Number(value[1]));
  if (!values.every(Number.isFinite)) return `no number: ${values}`;
  return moves && !values.some((value) => value > 0) ? 'it does not move' : '';
}
