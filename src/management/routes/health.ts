// Owns the routes that tell whether the broker is well. Those below /health can be opened to probes that
// have no password, by a setting: they say which ports are open, and nothing of what the broker holds.

import type { Call } from '../call.ts';
import { criticalReason } from '../cluster/rows.ts';
import { badRequest } from '../http-error.ts';
import { Answer, get, probe, type Result, type Route } from '../route.ts';
import { listeners, ofThisNode } from './overview.ts';

export const HEALTH_ROUTES: readonly Route[] = [
  probe('/health/checks/alarms', alarms),
  probe('/health/checks/local-alarms', alarms),
  probe('/health/checks/virtual-hosts', ok),
  probe('/health/checks/is-in-service', (call) =>
    call.view.snapshots.host.intake.suspended ? failed('listeners are suspended', {}) : ok(),
  ),
  probe('/health/checks/ready-to-serve-clients', (call) => {
    const open = call.view.snapshots.host.listeners().length > 0;
    if (open) return ok();
    const suspended = call.view.snapshots.host.intake.suspended;
    return failed(suspended ? 'listeners are suspended' : 'no AMQP listener is open', {});
  }),
  probe('/health/checks/below-node-connection-limit', ok),
  probe('/health/checks/node-is-quorum-critical', ({ context: { cluster } }) => {
    if (cluster === null) return single();
    const reason = criticalReason(cluster);
    return reason === null ? ok() : failed(reason, {});
  }),
  probe('/health/checks/node-is-mirror-sync-critical', single),
  probe('/health/checks/certificate-expiration/:within/:unit', certificates),
  probe('/health/checks/port-listener/:port', (call) => {
    const port = Number(call.param('port'));
    if (!Number.isInteger(port)) throw badRequest('Invalid port');
    const ports = [...new Set(listeners(call).map((each) => each.port))];
    if (ports.includes(port)) return { status: 'ok', port };
    return failed('No active listener', { missing: port, ports });
  }),
  probe('/health/checks/protocol-listener/:protocol', (call) => {
    const wanted = call.param('protocol');
    const protocols = [...new Set(listeners(call).map((each) => each.protocol))];
    // RabbitMQ takes several spellings of the protocol, too.
    const named = ALIASES[wanted] ?? wanted;
    if (protocols.includes(named)) return { status: 'ok', protocol: wanted };
    return failed('No active listener', { missing: wanted, protocols });
  }),
  probe('/health/checks/set-aside', setAside),
  get('/healthchecks/node', 'management', alarms),
  get('/healthchecks/node/:node', 'management', (call) => {
    ofThisNode(call);
    return alarms(call);
  }),
  get('/aliveness-test/:vhost', 'management', aliveness),
  get('/auth/attempts/:node', 'monitoring', (call) => {
    ofThisNode(call);
    const { succeeded, failed: wrong } = call.attempts;
    return [
      {
        protocol: 'http',
        auth_attempts: succeeded + wrong,
        auth_attempts_failed: wrong,
        auth_attempts_succeeded: succeeded,
      },
    ];
  }),
  // They are not counted by where they come from: the log says it of each that is wrong.
  get('/auth/attempts/:node/source', 'monitoring', (call) => {
    ofThisNode(call);
    return [];
  }),
];

/** The queue that tests of being alive go through. */
const ALIVENESS = 'aliveness-test';

const ALIASES: Readonly<Record<string, string>> = {
  amqp091: 'amqp',
  'amqp0-9-1': 'amqp',
  amqps: 'amqp/ssl',
  'amqp-ssl': 'amqp/ssl',
  prometheus: 'http/prometheus',
};

function ok(): object {
  return { status: 'ok' };
}

function single(): object {
  return { status: 'ok', reason: 'single node cluster' };
}

function failed(reason: string, more: object): Answer {
  return new Answer(503, { status: 'failed', reason, ...more });
}

/** Sends a message through a queue with the rights of the user, as RabbitMQ does. */
async function aliveness(call: Call): Promise<object> {
  const actor = call.actor();
  actor.declareQueue(ALIVENESS, { durable: false, autoDelete: false, arguments: undefined });
  await actor.publish('', ALIVENESS, {}, Buffer.from('test_message'));
  await actor.get(ALIVENESS, 1, 'ack_requeue_false', 'auto', 0);
  return ok();
}

function alarms(call: Call): Result {
  const { mem_alarm, disk_free_alarm, log_alarm } = call.view.resources();
  const flags = { memory: mem_alarm, disk: disk_free_alarm, log: log_alarm === true };
  const on = Object.entries(flags).flatMap(([resource, isShort]) => (isShort ? [resource] : []));
  if (on.length === 0) return ok();
  const { node } = call.view.snapshots;
  return failed('There are alarms in effect in the cluster', {
    alarms: on.map((resource) => ({ node, resource })),
  });
}

/** Says that something is set aside, but not what: probes without a password may ask. */
function setAside(call: Call): Result {
  const { messages, definitions } = call.view.snapshots.setAside();
  if (messages === 0 && definitions === 0) return ok();
  return failed('Messages or definitions are set aside: see `leveret list set-aside`', {});
}

const UNIT_DAYS: Readonly<Record<string, number>> = { days: 1, weeks: 7, months: 30, years: 365 };

function certificates(call: Call): Result {
  const days = UNIT_DAYS[call.param('unit')];
  const within = Number(call.param('within'));
  if (days === undefined || !Number.isInteger(within) || within < 0) {
    throw badRequest('Time unit not recognised. Supported units: days, weeks, months, years.');
  }
  const untilMs = call.context.clock.wallMs() + within * days * 86_400_000;
  const shown = [...call.view.snapshots.host.certificates(), ...call.context.certificates()];
  const soon = shown.filter(({ expiresMs }) => expiresMs <= untilMs);
  if (soon.length === 0) return ok();
  return failed('Certificates expiring', {
    expired: soon.map(({ port, subject, expiresMs }) => ({
      node: call.view.snapshots.node,
      protocol: 'amqp/ssl',
      port,
      subject,
      cert_expires: new Date(expiresMs).toISOString(),
    })),
  });
}
