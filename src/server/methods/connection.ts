// Owns the methods of class connection: login, tuning, opening a vhost, closing. Never touches
// channels but through the connection.

import { CONNECTION_START_OK, FRAME_MIN_SIZE } from '../../amqp/constants.ts';
import { AmqpError } from '../../amqp/errors.ts';
import type { FieldTable } from '../../amqp/field-table.ts';
import type { ClientMethod, Method } from '../../amqp/spec.ts';
import { limitOf } from '../../broker/access/limits.ts';
import type { LoginAnswer } from '../../broker/access/login-answer.ts';
import type { User } from '../../broker/access/user.ts';
import type { Broker } from '../../broker/broker.ts';
import type { Vhost } from '../../broker/vhost/vhost.ts';
import { type Away, awayText } from '../../broker/vhost-place.ts';
import { isShort } from '../../util/limits.ts';
import { AWAITS_OPEN, AWAITS_START_OK, AWAITS_TUNE_OK, RUNNING } from '../states.ts';
import type { MethodConnection } from './method-connection.ts';
import { offeredMechanisms, readCredentials } from './sasl.ts';
import { serverProperties, strangerProperties } from './server-properties.ts';

const LIMIT_REACHED = { reason: 'limit-reached' } as const;

/** Opens the dialogue after the protocol header. */
export function sendStart(connection: MethodConnection): void {
  const { server, facts } = connection;
  const mechanisms = offeredMechanisms(server.settings, facts.tls).join(' ');
  connection.send('connection.start', {
    versionMajor: 0,
    versionMinor: 9,
    serverProperties: facts.tls?.refusal
      ? strangerProperties()
      : serverProperties(server.version, clusterNameOf(server.broker)),
    mechanisms: Buffer.from(mechanisms),
    locales: Buffer.from('en_US'),
  });
}

/** What the cluster is called: as a user has set it, else as settings have it or the node. A long name would not fit into this frame. */
function clusterNameOf({ globalParameters, core }: Broker): string {
  const set = globalParameters.find('cluster_name')?.value;
  return typeof set === 'string' && isShort(set) ? set : core.clusterName;
}

/** Handles a method on channel 0. */
export function handleConnectionMethod(connection: MethodConnection, method: ClientMethod): void {
  switch (method.name) {
    case 'connection.start-ok':
      return startOk(connection, method);
    case 'connection.tune-ok':
      return tuneOk(connection, method);
    case 'connection.open':
      return open(connection, method);
    case 'connection.close':
      return connection.closing.byPeer(method.replyCode, method.replyText);
    case 'connection.update-secret':
      expectState(connection, RUNNING);
      return connection.send('connection.update-secret-ok', {});
    default:
      throw outOfState(connection);
  }
}

function startOk(connection: MethodConnection, method: Method<'connection.start-ok'>): void {
  expectState(connection, AWAITS_START_OK);
  const { server, facts } = connection;
  readClientProperties(connection, method.clientProperties);
  const { mechanism, response } = method;
  const { user, password } = readCredentials(server.settings, facts.tls, mechanism, response);
  const { login } = server.broker.access;
  facts.mechanism = mechanism;
  const answer =
    password === null
      ? login.withoutPassword(user, facts.peerHost)
      : login.byPassword(user, password, facts.peerHost, connection);
  const decided = (known: LoginAnswer): void => {
    server.broker.core.counts.logins.amqp091.count(known.user !== null);
    if (known.user !== null) return tune(connection, known.user);
    if (server.lines.admits('login refused')) {
      connection.log.warn({ user, mechanism, reason: known.refusal }, 'login refused');
    }
    connection.closing.refuseLogin(mechanism, connection.wantsLoginFailure);
  };
  if (answer instanceof Promise) connection.waits.forLogin(answer, CONNECTION_START_OK, decided);
  else decided(answer);
}

function tune(connection: MethodConnection, user: User): void {
  const { server } = connection;
  connection.authenticated(user);
  connection.state = AWAITS_TUNE_OK;
  connection.send('connection.tune', {
    channelMax: server.settings.channelMax,
    frameMax: server.settings.frameMaxBytes,
    heartbeat: server.settings.heartbeatSeconds,
  });
}

function readClientProperties(connection: MethodConnection, properties: FieldTable): void {
  connection.facts.clientProperties = properties;
  const field = properties.get('capabilities');
  const has = (name: string): boolean =>
    field?.type === 'F' && field.value.get(name)?.value === true;
  connection.wantsCancelNotice = has('consumer_cancel_notify');
  connection.wantsLoginFailure = has('authentication_failure_close');
  connection.guard.wantsNotice = has('connection.blocked');
}

/** 0 asks for no limit; more than the server's limit is not allowed. */
function tuneOk(connection: MethodConnection, method: Method<'connection.tune-ok'>): void {
  expectState(connection, AWAITS_TUNE_OK);
  const { settings } = connection.server;
  const { frameMaxBytes } = settings;
  connection.channels.max = negotiated('channel_max', method.channelMax, settings.channelMax);
  const frameMax = negotiated('frame_max', method.frameMax, frameMaxBytes);
  if (frameMax < FRAME_MIN_SIZE) {
    throw new AmqpError(
      'NOT_ALLOWED',
      `negotiated frame_max = ${frameMax} is lower than the minimum allowed value (${FRAME_MIN_SIZE})`,
    );
  }
  connection.frames.frameMax = frameMax;
  connection.peerFrameMax = frameMax;
  connection.facts.heartbeatSeconds = method.heartbeat;
  connection.heartbeat.start(method.heartbeat);
  connection.state = AWAITS_OPEN;
}

function negotiated(what: string, wanted: number, limit: number): number {
  if (limit === 0) return wanted;
  if (wanted !== 0 && wanted <= limit) return wanted;
  const text = wanted === 0 ? '0 (no limit)' : String(wanted);
  throw new AmqpError(
    'NOT_ALLOWED',
    `negotiated ${what} = ${text} is higher than the maximum allowed value (${limit})`,
  );
}

function open(connection: MethodConnection, method: Method<'connection.open'>): void {
  expectState(connection, AWAITS_OPEN);
  connection.server.limits.checkConnection();
  const vhost = connection.broker.vhosts.get(method.virtualHost);
  if (vhost === undefined) {
    const aside = connection.core.setAsideRows.vhostError(method.virtualHost);
    throw (
      aside ??
      new AmqpError('NOT_ALLOWED', `vhost ${method.virtualHost} not found`, { reason: 'no-vhost' })
    );
  }
  checkConnectionLimits(vhost, connection.user);
  const grants = connection.broker.access.grants(connection.user, vhost.name);
  if (!grants.admitted) {
    throw new AmqpError('NOT_ALLOWED', refusedVhost(vhost, connection.user), {
      reason: 'no-vhost',
    });
  }
  const { away } = vhost;
  if (away !== null) {
    const error = new AmqpError('CONNECTION_FORCED', awayTextFor(connection, vhost.name, away));
    if (away.moving || connection.server.groups?.others !== true) throw error;
    connection.handOver(away.group, error);
    return;
  }
  connection.opened(vhost, grants);
  connection.send('connection.open-ok', {});
}

/** Why a vhost cannot be opened here, and what to do: for a client that may enter it. */
function awayTextFor({ server }: MethodConnection, vhost: string, away: Away): string {
  const text = awayText(vhost, away);
  if (away.moving) return `${text}: connect again in a moment`;
  const address = server.groups?.addressOf(away.group) ?? null;
  return address === null ? `${text}, which no node leads now` : `${text}: connect to ${address}`;
}

function checkConnectionLimits(vhost: Vhost, user: User): void {
  const vhostMax = limitOf(vhost.metadata.limits['max-connections']);
  if (vhost.connections >= vhostMax) {
    const limit = `connection limit (${vhostMax}) is reached`;
    throw new AmqpError('NOT_ALLOWED', `${refusedVhost(vhost, user)}: ${limit}`, LIMIT_REACHED);
  }
  const userMax = limitOf(user.limits['max-connections']);
  if (user.connections.size < userMax) return;
  const limit = `user connection limit (${userMax}) is reached`;
  throw new AmqpError(
    'NOT_ALLOWED',
    `connection refused for user '${user.name}': ${limit}`,
    LIMIT_REACHED,
  );
}

function refusedVhost(vhost: Vhost, user: User): string {
  return `access to vhost '${vhost.name}' refused for user '${user.name}'`;
}

function expectState(connection: MethodConnection, state: number): void {
  if (connection.state !== state) throw outOfState(connection);
}

/** The error for a method that channel 0 has no use for as things are. */
export function outOfState(connection: MethodConnection): AmqpError {
  const phase = connection.state === RUNNING ? 'running' : 'starting';
  return new AmqpError('CHANNEL_ERROR', `unexpected method in connection state ${phase}`);
}
