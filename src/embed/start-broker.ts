// Owns the broker as a library: what `import { startBroker } from 'leveret'` gives. Never reads files of
// settings, variables or flags, and never ends the process.

import type { Logger } from 'pino';
import type { Embedding, RunningBroker } from '../boot/serve.ts';
import { startBroker as startInProcess } from '../boot/start.ts';
import type { Broker } from '../broker/broker.ts';
import { importDefinitions } from '../broker/definitions/import.ts';
import { settingsOf } from '../config/load.ts';
import type { Settings } from '../config/settings.ts';
import type { Server } from '../server/server.ts';
import { assert } from '../util/assert.ts';
import { MovableClock } from '../util/clock.ts';
import type { JsonValue } from '../util/json/json.ts';
import { checkedJson } from '../util/json/json-input.ts';
import { checkOptions } from './check-options.ts';
import { EmbeddedClock } from './clock.ts';
import { EmbeddedFaults } from './faults.ts';
import { untilIdle } from './idle.ts';
import type {
  BrokerClock,
  BrokerFaults,
  BrokerOptions,
  BrokerQueue,
  BrokerUser,
  EmbeddedBroker,
  IdleOptions,
  QueueOptions,
} from './options.ts';
import { EmbeddedQueue } from './queue.ts';
import { silentLogger } from './silent-logger.ts';

export type {
  BrokerClock,
  BrokerFaults,
  BrokerLogger,
  BrokerMessage,
  BrokerOptions,
  BrokerQueue,
  BrokerUser,
  ConnectionMatch,
  DepthMatch,
  EmbeddedBroker,
  Fault,
  IdleOptions,
  MessagesOptions,
  PublishMatch,
  QueueOptions,
  WaitOptions,
  WriteLine,
} from './options.ts';

const HOST = '127.0.0.1';
const PLACE = 'startBroker';
const FIRST_VHOST = '/';
const GUEST: BrokerUser = { name: 'guest', password: 'guest' };
const EVERYTHING = { configure: '.*', write: '.*', read: '.*' };
const TAGS = ['administrator'];
/** What lies in memory alone needs no hash that takes long to break; this one takes no time to make. */
const LOG_COST_IN_MEMORY = 1;
const AMQP_KEY = 'listeners.tcp.';
const MANAGEMENT_KEY = 'management.tcp';

/**
 * Starts a broker inside this process, in memory and on a free port unless `options` say otherwise. Rejects
 * with an error that says what is wrong with the options, or with the error of the system.
 */
export async function startBroker(given: BrokerOptions = {}): Promise<EmbeddedBroker> {
  checkOptions(PLACE, given);
  const options = { ...given, ...textsOf(given) };
  const settings = readSettings(options);
  // Of a logger that a program brings nothing is used but what BrokerLogger says.
  const logger = (options.logger as Logger | undefined) ?? silentLogger;
  const clock = new MovableClock();
  const faults = new EmbeddedFaults();
  const users = firstUsers(options);
  const { memory } = settings;
  const first = users[0] ?? null;
  let server: Server | null = null;
  const embedding: Embedding = {
    clock,
    access: {
      // As always, guest is made at the first start; users that the options name are made at each.
      user: first === GUEST ? GUEST.name : null,
      password: GUEST.password,
      tags: TAGS,
      permission: EVERYTHING,
      ...(memory ? { logCost: LOG_COST_IN_MEMORY } : {}),
    },
    ports: faults,
    prepare: (made) => {
      server = made;
      faults.attach(made);
      prepare(made.broker, options, users);
    },
  };
  const running = await startInProcess(settings, logger, embedding);
  assert(server !== null, 'what is started was prepared');
  return new Embedded(running, server, clock, faults, first, settings.managementPathPrefix);
}

/** A broker that runs inside this process. */
class Embedded implements EmbeddedBroker {
  readonly url: string;
  readonly host: string;
  readonly port: number;
  readonly managementUrl: string | null;
  readonly clock: BrokerClock;
  readonly faults: BrokerFaults;
  readonly failed: Promise<Error>;
  private readonly running: RunningBroker;
  private readonly disturber: EmbeddedFaults;
  private readonly server: Server;
  private closing: Promise<void> | null = null;

  constructor(
    running: RunningBroker,
    server: Server,
    clock: MovableClock,
    faults: EmbeddedFaults,
    user: BrokerUser | null,
    pathPrefix: string,
  ) {
    const { addresses, failed } = running;
    const amqp = addresses.find(({ key }) => key.startsWith(AMQP_KEY));
    const management = addresses.find(({ key }) => key === MANAGEMENT_KEY);
    this.running = running;
    this.server = server;
    this.host = amqp?.host ?? HOST;
    this.port = amqp?.port ?? 0;
    const login =
      user === null ? '' : `${encodeURIComponent(user.name)}:${encodeURIComponent(user.password)}@`;
    this.url = `amqp://${login}${authority(this.host, this.port)}`;
    this.managementUrl =
      management === undefined
        ? null
        : `http://${authority(management.host, management.port)}${pathPrefix}`;
    this.clock = new EmbeddedClock(clock, server, () => this.closing !== null);
    this.disturber = faults;
    this.faults = faults;
    this.failed = failed;
  }

  idle(options?: IdleOptions): Promise<void> {
    return untilIdle(this.server, () => this.closing !== null, options);
  }

  queue(name: string, options?: QueueOptions): BrokerQueue {
    return new EmbeddedQueue(this.server, () => this.closing !== null, name, options);
  }

  close(): Promise<void> {
    this.disturber.end();
    this.closing ??= this.running.close('the program closes its broker');
    return this.closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** What names things, as JSON would bring it: texts that are well-formed, and no depth without an end. */
function textsOf({ users, vhosts, definitions }: BrokerOptions): Partial<BrokerOptions> {
  const named = Object.entries({ users, vhosts, definitions }).filter(([, value]) => value);
  return Object.fromEntries(named.map(([key, value]) => [key, checkedJson(value)]));
}

/** What the program sets comes after what fits a broker inside a program, and so wins over it. */
function readSettings(options: BrokerOptions): Settings {
  const { dataDir, host = HOST, port = 0, managementPort = null, settings = {} } = options;
  const where = dataDir === undefined ? ['memory', 'true'] : ['data_dir', dataDir];
  const lines: (readonly [string, string])[] = [
    where as [string, string],
    ['listeners.tcp.default', authority(host, port)],
    ['management.tcp.port', String(managementPort ?? 'none')],
    ['prometheus.tcp.port', 'none'],
    // A clock that is moved on would cut clients that agreed to heartbeats without asking for them.
    ['heartbeat', '0'],
    ...Object.entries(settings).map(([key, value]) => [key, String(value)] as const),
  ];
  return settingsOf(PLACE, lines);
}

function authority(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** The users that may log in; none when the definitions bring them. The url names the first of them. */
function firstUsers(options: BrokerOptions): readonly BrokerUser[] {
  if (options.users !== undefined) return options.users;
  return bringsUsers(options) ? [] : [GUEST];
}

function bringsUsers({ definitions }: BrokerOptions): boolean {
  const { users } = (definitions ?? {}) as { readonly users?: unknown };
  return Array.isArray(users) && users.length > 0;
}

/** Declares what the options name, before any client can connect. */
function prepare(broker: Broker, options: BrokerOptions, users: readonly BrokerUser[]): void {
  const { access } = broker;
  const { vhosts = [], definitions } = options;
  const logCost = options.dataDir === undefined ? LOG_COST_IN_MEMORY : undefined;
  const named = options.users ?? [];
  for (const vhost of vhosts) broker.putVhost(vhost, {});
  for (const { name, password, tags = TAGS } of named) {
    access.putUserNow({ name, tags }, password, logCost);
  }
  if (definitions !== undefined) importDefinitions(broker, definitions as JsonValue);
  const give = ({ name, permission = EVERYTHING }: BrokerUser, vhost: string): void =>
    access.setPermission({ user: name, vhost, ...permission });
  for (const user of named) give(user, FIRST_VHOST);
  for (const user of users) for (const vhost of vhosts) give(user, vhost);
  broker.core.definitionChanged();
}
