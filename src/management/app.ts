// Owns the HTTP application: routes, logins, answers and errors. Never knows what a route does.

import type { IncomingMessage, Server } from 'node:http';
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify';
import { jsonText } from '../util/json/json-writer.ts';
import { Answers } from './answers/answers.ts';
import { Gzips } from './answers/gzips.ts';
import { isPieces, piecesOfResult } from './answers/json-pieces.ts';
import { Call } from './call.ts';
import { CLUSTER_ROUTES } from './cluster/routes.ts';
import type { Context } from './context.ts';
import { Bodies, bodyBytesMax, isUnwieldy } from './http/bodies.ts';
import { isLocal } from './http/control-socket.ts';
import { readJson } from './http/json-body.ts';
import { checkHost, checkPage, checkType, corsHeaders, isOfBrowser } from './http/origins.ts';
import type { Handler } from './http/requests.ts';
import { HttpError, httpErrorOf, notAuthorised, notFound } from './http-error.ts';
import { pick } from './listing.ts';
import { Attempts, authenticate, type Principal, REFUSALS, reaches } from './principal.ts';
import { Answer, type Result, type Route } from './route.ts';
import { PERMISSION_ROUTES, USER_ROUTES, VHOST_ROUTES } from './routes/access.ts';
import { CONNECTION_ROUTES } from './routes/connections.ts';
import { DELAYED_ROUTES } from './routes/delayed.ts';
import { BINDING_ROUTES, EXCHANGE_ROUTES } from './routes/exchanges.ts';
import { HEALTH_ROUTES } from './routes/health.ts';
import { LISTENER_ROUTES } from './routes/listeners.ts';
import { OVERVIEW_ROUTES } from './routes/overview.ts';
import { DEFINITION_ROUTES, PARAMETER_ROUTES, POLICY_ROUTES } from './routes/policies.ts';
import { QUEUE_ROUTES } from './routes/queues.ts';
import { SCHEDULE_ROUTES } from './routes/schedules.ts';
import { SET_ASIDE_ROUTES } from './routes/set-aside.ts';
import { SETTING_ROUTES } from './routes/settings.ts';
import { STREAM_ROUTES } from './routes/streams/groups.ts';
import { SUPER_STREAM_ROUTES } from './routes/streams/super-streams.ts';
import { WEB_UI_ROUTES } from './routes/web-ui.ts';
import { serveFiles } from './static.ts';
import type { TimeSlice } from './time-slice.ts';

/** All routes, below `/api`. */
export const ROUTES: readonly Route[] = [
  ...OVERVIEW_ROUTES,
  ...CLUSTER_ROUTES,
  ...HEALTH_ROUTES,
  ...VHOST_ROUTES,
  ...USER_ROUTES,
  ...PERMISSION_ROUTES,
  ...POLICY_ROUTES,
  ...PARAMETER_ROUTES,
  ...DEFINITION_ROUTES,
  ...EXCHANGE_ROUTES,
  ...BINDING_ROUTES,
  ...QUEUE_ROUTES,
  ...DELAYED_ROUTES,
  ...STREAM_ROUTES,
  ...SUPER_STREAM_ROUTES,
  ...SCHEDULE_ROUTES,
  ...SET_ASIDE_ROUTES,
  ...SETTING_ROUTES,
  ...CONNECTION_ROUTES,
  ...LISTENER_ROUTES,
  ...WEB_UI_ROUTES,
];

/** Names have up to 255 bytes, each of which may be escaped twice. */
const PARAM_CHARS_MAX = 4096;

/** What every answer carries: pages of this server run nothing but their own scripts. */
const SECURITY_HEADERS = {
  'content-security-policy':
    "default-src 'self'; img-src 'self' data:; connect-src 'self'; " +
    "object-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-cache',
};

/** RabbitMQ's words: programs give their password only to the realm that they were told (Perl's LWP, Nagios). */
const CHALLENGE = 'Basic realm="RabbitMQ Management"';

/** No route has a schema: what would compile one takes a tenth of a second to load. */
const noSchemas = (): never => {
  throw new Error('no route has a schema');
};
const NO_SCHEMAS = { compilersFactory: { buildValidator: noSchemas, buildSerializer: noSchemas } };

/**
 * Makes the application on a server that is there; `take` is given what handles its requests. It is made a few
 * routes at a time: `timeSlice` leaves the event loop to others in between.
 */
export async function buildApp(
  context: Context,
  server: Server,
  take: (handler: Handler) => void,
  timeSlice: TimeSlice,
): Promise<FastifyInstance> {
  const app = fastify({
    logger: false,
    // The port answers what is no request: see http/unreadable.ts.
    clientErrorHandler: () => {},
    schemaController: NO_SCHEMAS,
    routerOptions: { maxParamLength: PARAM_CHARS_MAX, ignoreTrailingSlash: true },
    serverFactory: (handler) => {
      take(handler);
      return server;
    },
  });
  // RabbitMQ's API reads any body as JSON, and so does every script written for it.
  app.removeAllContentTypeParsers();
  const bodies = new Bodies(context.bodyBytesMax);
  app.addContentTypeParser('*', (request: FastifyRequest, payload: IncomingMessage) => {
    const { response, bodyMax } = (request as Admitted).admitted;
    return bodies.read(payload, response, bodyMax);
  });
  app.addHook('onRequest', async (request, reply) => {
    reply.headers(SECURITY_HEADERS).headers(corsHeaders(request.headers, context.allowedPages));
    const { headers, ip: peer } = request;
    // No page of a browser reaches the control socket.
    if (isLocal(request.raw.socket)) {
      if (request.is404) throw notFound();
      return;
    }
    if (READING.includes(request.method)) {
      if (isOfBrowser(headers)) checkHost(headers.host ?? '', peer, context.allowedPages);
    } else checkPage(headers, peer, context.allowedPages);
    // Before its body is read, which nothing wants.
    if (request.is404) throw nothingAt(request.url);
  });
  const gzips = new Gzips();
  app.addHook('onSend', async (request, reply, payload) => {
    if (isUnwieldy(request.raw)) reply.header('connection', 'close');
    return gzips.packed(request, reply, payload);
  });
  app.setErrorHandler((error, request, reply) => sendError(context, error, request, reply));
  app.setNotFoundHandler((request, reply) => sendError(context, notFound(), request, reply));
  await addRoutes(app, context, timeSlice);
  await serveFiles(app, () => rest(app, timeSlice));
  await app.ready();
  return app;
}

/** Lets the library settle what it was given so far, and others have their turn. */
async function rest(app: FastifyInstance, timeSlice: TimeSlice): Promise<void> {
  if (!timeSlice.due) return;
  await app.after();
  await timeSlice.rest();
}

async function addRoutes(
  app: FastifyInstance,
  context: Context,
  timeSlice: TimeSlice,
): Promise<void> {
  const attempts = new Attempts();
  const answers = new Answers();
  const methods = new Map<string, string[]>();
  for (const route of ROUTES) {
    const url = `/api${route.path}`;
    methods.set(url, [...(methods.get(url) ?? []), route.method]);
    const kind = route.body ?? 'small';
    app.route({
      method: route.method,
      url,
      // A client without the rights is refused before it sends a body.
      onRequest: async (request, reply) => {
        if (route.method === 'GET' && !acceptsJson(request.headers.accept)) {
          return reply.code(406).send();
        }
        if (route.method !== 'GET') checkType(request.headers, kind === 'definitions');
        const principal = await admit(context, route, request, attempts);
        const bodyMax = bodyBytesMax(kind, context.bodyBytesMax);
        (request as Admitted).admitted = { principal, response: reply.raw, bodyMax };
        if (route.method === 'GET' || route.path.endsWith('/get')) {
          await answers.turn(principal.name, reply.raw);
        }
      },
      handler: async (request, reply) => {
        const { principal } = (request as Admitted).admitted;
        const bytes = Buffer.isBuffer(request.body) ? request.body : NO_BYTES;
        const type = request.headers['content-type'];
        const body = await readJson(bytes, type, kind, context.clock);
        const call = new Call(context, principal, attempts, request, body);
        return send(call, reply, answers, await route.run(call));
      },
    });
    await rest(app, timeSlice);
  }
  for (const [url, known] of methods) {
    refuseOthers(app, url, known);
    await rest(app, timeSlice);
  }
}

/** A request that was let in, on its way to its route. */
interface Admitted extends FastifyRequest {
  admitted: {
    readonly principal: Principal;
    readonly response: FastifyReply['raw'];
    readonly bodyMax: number;
  };
}

const NO_BYTES = Buffer.alloc(0);

/** Whether a client takes JSON, as far as it says what it takes. */
function acceptsJson(accept: string | undefined): boolean {
  if (accept === undefined || accept.trim() === '') return true;
  return accept.split(',').some((each) => {
    const [type = ''] = each.split(';');
    return JSON_TYPES.includes(type.trim().toLowerCase());
  });
}

const JSON_TYPES = ['application/json', 'application/*', '*/*'];

/** Methods that change nothing. */
const READING = ['GET', 'HEAD', 'OPTIONS'];

const METHODS = ['GET', 'HEAD', 'PUT', 'POST', 'DELETE', 'PATCH', 'OPTIONS'];

/** A path that is there has other answers for methods that are not than a path that is not, and says which there are. */
function refuseOthers(app: FastifyInstance, url: string, known: readonly string[]): void {
  const methods = known.includes('GET') ? ['HEAD', ...known] : known;
  const allowed = [...methods, 'OPTIONS'].join(', ');
  const answer = (request: FastifyRequest, reply: FastifyReply): FastifyReply =>
    reply
      .code(request.method === 'OPTIONS' ? 200 : 405)
      .headers({ allow: allowed, ...(isPreflight(request) ? { [CORS_METHODS]: allowed } : {}) })
      .send();
  app.route({
    method: METHODS.filter((method) => !methods.includes(method)),
    url,
    onRequest: async (request, reply) => answer(request, reply),
    handler: async (request, reply) => answer(request, reply),
  });
}

const CORS_METHODS = 'access-control-allow-methods';

/** Whether a browser asks what a page of another origin may do. */
function isPreflight({ headers }: FastifyRequest): boolean {
  return headers['access-control-request-method'] !== undefined;
}

const NO_USER: Principal = { name: '', tags: [] };

async function admit(
  context: Context,
  { level, probe }: Route,
  request: FastifyRequest,
  attempts: Attempts,
): Promise<Principal> {
  if (level === null || (probe === true && context.openProbes)) return NO_USER;
  const { authorization } = request.headers;
  const address = request.ip;
  const { socket } = request.raw;
  const principal = await authenticate(context.view, authorization, address, socket, attempts);
  if (principal === null) throw new HttpError(401, 'not_authorized', 'Login failed');
  if (!reaches(principal.tags, 'management')) throw notAuthorised(REFUSALS.management);
  if (!reaches(principal.tags, level)) throw notAuthorised(REFUSALS[level]);
  return principal;
}

async function send(
  { context, timeSlice, query }: Call,
  reply: FastifyReply,
  answers: Answers,
  result: Result,
): Promise<FastifyReply> {
  if (result === undefined) return reply.code(204).send();
  if (result instanceof Answer) {
    reply.code(result.status).headers(result.headers);
    return result.body === null ? reply.send() : sendJson(reply, jsonText(result.body));
  }
  const pieces = await piecesOfResult(result, timeSlice, (row) => pick(row, query['columns']));
  const sent = isPieces(result) ? result.sent : undefined;
  if (sent !== undefined) whenSent(context, reply, sent);
  // What is short goes out at once, with its length.
  const [first] = pieces;
  if (pieces.length === 1 && typeof first === 'string' && first.length < SHORT_CHARS) {
    return sendJson(reply, first);
  }
  return sendJson(reply, answers.stream(pieces, reply.raw));
}

/** Says once whether an answer was given to its peer as a whole. */
function whenSent(context: Context, reply: FastifyReply, sent: (wholly: boolean) => void): void {
  const { raw } = reply;
  const say = (): void => sent(raw.writableFinished && raw.statusCode === 200);
  if (raw.destroyed) sent(false);
  else raw.once('close', context.guard.listener('sent answer', say));
}

/** What is shorter needs no stream. */
const SHORT_CHARS = 16 * 1024;

function sendJson(reply: FastifyReply, json: string | NodeJS.ReadableStream): FastifyReply {
  // As bytes: to a text the library adds a charset, which RabbitMQ does not say and some clients compare.
  const body = typeof json === 'string' ? Buffer.from(json) : json;
  return reply.header('content-type', 'application/json').send(body);
}

function sendError(
  context: Context,
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  const known = httpErrorOf(error) ?? ownError(error);
  if (known === null) {
    context.guard.failed(`HTTP API ${request.method} ${request.routeOptions.url}`, error);
    const body = { error: 'internal_error', reason: 'see the log of the broker' };
    return sendJson(reply.code(500), jsonText(body));
  }
  if (known.error === 'not_authorized') reply.header('www-authenticate', CHALLENGE);
  // What an act misses has another name than a path that is not there.
  const missed = known.status === 404 && known.message !== 'Not Found';
  const acts = request.method === 'POST' || request.method === 'PUT';
  const { explanation } = known;
  const body = {
    error: missed && acts ? 'not_found' : known.error,
    reason: known.message,
    ...(explanation === null ? {} : { explanation }),
  };
  return sendJson(reply.code(known.status), jsonText(body));
}

/** Where RabbitMQ has its script for download: what fetches it finds out where it is, and that it is not needed. */
const SCRIPTS = /^\/cli(?:[/?]|$)/;
const NO_SCRIPT =
  'rabbitmqadmin is not served here: take it from deps/rabbitmq_management/bin of v3.13.x of ' +
  'https://github.com/rabbitmq/rabbitmq-server, it works as it is; or use leveret, such as leveret list queues --url URL';

function nothingAt(url: string): HttpError {
  return SCRIPTS.test(url) ? notFound(NO_SCRIPT) : notFound();
}

/** What the HTTP library refuses by itself, such as a body that is too large. */
function ownError(error: unknown): HttpError | null {
  const { statusCode, message } = error as { statusCode?: number; message?: string };
  if (statusCode === undefined || statusCode < 400 || statusCode >= 500) return null;
  return new HttpError(statusCode, 'bad_request', message ?? '');
}
