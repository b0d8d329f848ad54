// Runs the checks of Debian's nagios-plugins-rabbitmq, and compares their results with those of a RabbitMQ.
import { spawnSync } from 'node:child_process';

const RESULTS = ['OK', 'WARNING', 'CRITICAL', 'UNKNOWN'];

/** A range that alerts for the counts that there are. */
const INSIDE = '@0:1000000,@0:1000000,@0:1000000';

/** Each check with its arguments, and what it must come to. There are no shovels on either side. */
const CHECKS = [
  ['aliveness', ['--vhost', '/'], 'OK'],
  ['connections', [], 'OK'],
  ['objects', [], 'OK'],
  ['overview', [], 'OK'],
  ['overview', ['-w', INSIDE, '-c', INSIDE], 'CRITICAL'],
  ['partition', ['--node', 'NODE'], 'OK'],
  ['queue', ['--vhost', '/', '--queue', 'nagios'], 'OK'],
  ['queue', ['--vhost', '/', '--queue', 'nagios', '-w', '1:', '-c', '1:'], 'CRITICAL'],
  ['queue', ['--vhost', '/', '--queue', 'none'], 'CRITICAL'],
  ['server', ['--node', 'NODE'], 'CRITICAL'],
  ['shovels', [], 'CRITICAL'],
  ['watermark', ['--node', 'NODE'], 'OK'],
];

export async function runNagios({ broker, oracle }) {
  const own = await prepare(broker.httpUrl);
  const other = oracle === undefined ? null : await prepare(oracle);
  const rows = CHECKS.map(([name, args, wanted]) => {
    const found = check(name, args, own);
    const theirs = other === null ? null : check(name, args, other);
    const step = `check_rabbitmq_${name} ${args.join(' ')}`.trim();
    const expected = theirs?.result ?? wanted;
    const well = found.result === expected;
    const told = theirs === null ? '' : `, RabbitMQ: ${theirs.result}`;
    const result = well
      ? `${found.result}${told}`
      : `failed: ${found.text}${told}: ${theirs?.text}`;
    return { program: 'nagios', step, result };
  });
  for (const at of [own, other]) if (at !== null) await call(at, 'DELETE', '/queues/%2F/nagios');
  return rows;
}

/** Declares the queue that is looked at, and finds the name of the node. */
async function prepare(url) {
  const { hostname, port, username, password } = new URL(url);
  const at = { hostname, port, username, password, node: '' };
  await call(at, 'PUT', '/queues/%2F/nagios', { durable: true });
  // The checks put it before the name of the host by themselves.
  at.node = (await (await call(at, 'GET', '/overview')).json()).node.replace('rabbit@', '');
  return at;
}

function call({ hostname, port, username, password }, method, path, body) {
  const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
  return fetch(`http://${hostname}:${port}/api${path}`, {
    method,
    // The checks take their time: a connection that is kept may be closed meanwhile.
    headers: { authorization, 'content-type': 'application/json', connection: 'close' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
}

function check(name, args, { hostname, port, username, password, node }) {
  const login = ['-H', hostname, '--port', port, '--username', username, '--password', password];
  const words = args.map((word) => (word === 'NODE' ? node : word));
  const { status, stdout, stderr } = spawnSync(
    `/usr/bin/check_rabbitmq_${name}`,
    [...login, ...words],
    { encoding: 'utf8', timeout: 60_000 },
  );
  return { result: RESULTS[status] ?? `ended with ${status}`, text: (stdout + stderr).trim() };
}
