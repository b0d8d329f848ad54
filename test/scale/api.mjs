// Twenty thousand queues behind the HTTP API and the metrics: how long each list takes, and for how long the
// event loop stands still meanwhile, with messages passing through one of the queues.
import { ScaleBroker } from './broker.mjs';
import { argument, figure, finish } from './report.mjs';
import { Wire } from './wire.mjs';

/** The event loop may stand still for so long at a time. */
const STALL_MS = 20;
const queues = argument('queues', 20_000);
const names = Array.from({ length: queues }, (_, n) => `q-${n}`);
const broker = new ScaleBroker({
  LEVERET_MANAGEMENT_TCP_PORT: '0',
  LEVERET_CONFIG_ROOT: '/nonexistent',
  LEVERET_IN_CONTAINER: 'false',
  LEVERET_PROMETHEUS_TCP_PORT: '0',
});
await broker.start();
const wire = await Wire.open(broker.address);
for (let from = 0; from < queues; from += 500) {
  await wire.declareDurable(names.slice(from, from + 500));
}
const authorization = `Basic ${Buffer.from('guest:guest').toString('base64')}`;
const { management, prometheus } = broker.ports;
const paths = [
  [management, '/api/overview'],
  [management, '/api/queues'],
  [management, '/api/queues?page=1&page_size=100&sort=messages&sort_reverse=true'],
  [management, '/api/queues?page=1&page_size=100&sort=oldest_message_age_ms'],
  [management, '/api/queues?name=9$&use_regex=true&columns=name,messages'],
  [management, '/api/bindings'],
  [management, '/api/definitions'],
  [prometheus, '/metrics'],
  [prometheus, '/metrics/per-object'],
];
const get = async ([port, path]) => {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, { headers: { authorization } });
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  return (await response.arrayBuffer()).byteLength;
};
// The first request loads the code, and the password is hashed once.
await get(paths[0]);
await get(paths[6]);
for (const path of paths) {
  await get(path);
  await broker.longestStall();
  const startMs = performance.now();
  const bytes = await get(path);
  const ms = performance.now() - startMs;
  figure(`${path[1]}, ms`, `${ms.toFixed(0)} (${(bytes / 2 ** 20).toFixed(1)} MiB)`);
  const stallMs = await broker.longestStall();
  figure('  longest stall, ms', stallMs.toFixed(1), stallMs <= STALL_MS, `${STALL_MS} at most`);
}
await wire.close();
if (process.env.SCALE_NODE_OPTIONS) await broker.end('SIGTERM');
await broker.remove();
finish();
