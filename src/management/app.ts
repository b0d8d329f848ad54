// Owns the HTTP application: routes, logins, answers and errors. Never knows what a route does.

import type { IncomingMessage, Server } from 'node:http';
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify';
import type { Breather } from './breather.ts';
import { Call } from './call.ts';
import type { Context } from './context.ts';
import { Answers } from './http/answers.ts';
import { Bodies, bodyBytesMax, isUnwieldy } from './http/bodies.ts';
import { readJson } from './http/json-body.ts';
import { isPieces, piecesOfResult } from './http/json-pieces.ts';
import { checkHost, checkPage, checkType, isOfBrowser } from './http/origins.ts';
import type { Handler } from './http/requests.ts';
import { HttpError, httpErrorOf, notAuthorised, notFound } from './http-error.ts';
import { Attempts, authenticate, type Person, REFUSALS, reaches } from './person.ts';
import { Answer, type Result, type Route } from './route.ts';
import { PERMISSION_ROUTES, USER_ROUTES, VHOST_ROUTES } from './routes/access.ts';
import { CONNECTION_ROUTES } from './routes/connections.ts';
import { BINDING_ROUTES, EXCHANGE_ROUTES } from './routes/exchanges.ts';
import { HEALTH_ROUTES } from './routes/health.ts';
import { OVERVIEW_ROUTES } from './routes/overview.ts';
import { DEFINITION_ROUTES, PARAMETER_ROUTES, POLICY_ROUTES } from './routes/policies.ts';
import { QUEUE_ROUTES } from './routes/queues.ts';
import { SET_ASIDE_ROUTES } from './routes/set-aside.ts';
import { serveFiles } from './static.ts';

/** All routes, below `/api`. */
export const ROUTES: readonly Route[] = [
  ...OVERVIEW_ROUTES,
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
  ...SET_ASIDE_ROUTES,
  ...CONNECTION_ROUTES,
];

/** Names have up to 255 bytes, each of which may be escaped twice. */
const PARAM_CHARS_MAX = 4096;

/** What every answer carries: pages of this server run nothing but their own scripts. */
const SECURITY_HEADERS = {
  'content-security-policy':
    "default-src 'self'; img-src 'self' data:; connect-src 'self' ws: wss:; " +
    "object-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-cache',
};

const CHALLENGE = 'Basic realm="Leveret Management"';

/** No route has a schema: what would compile one takes a tenth of a second to load. */
const noSchemas = (): never => {
  throw new Error('no route has a schema');
};
const NO_SCHEMAS = { compilersFactory: { buildValidator: noSchemas, buildSerializer: noSchemas } };

/**
 * Makes the application on a server that is there; `take` is given what handles its requests. It is made a few
 * routes at a time: `breather` leaves the event loop to others in between.
 */
export async function buildApp(
  context: Context,
  server: Server,
  take: (handler: Handler) => void,
  breather: Breather,
): Promise<FastifyInstance> {
  const app = fastify({
    logger: false,
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
    reply.headers(SECURITY_HEADERS);
    const { headers, ip: peer } = request;
    if (READING.includes(request.method)) {
      if (isOfBrowser(headers)) checkHost(headers.host ?? '', peer, context.allowedPages);
    } else checkPage(headers, peer, context.allowedPages);
    // Before its body is read, which nothing wants.
    if (request.is404) throw notFound();
  });
  app.addHook('onSend', async (request, reply) => {
    if (isUnwieldy(request.raw)) reply.header('connection', 'close');
  });
  app.setErrorHandler((error, request, reply) => sendError(context, error, request, reply));
  app.setNotFoundHandler((request, reply) => sendError(context, notFound(), request, reply));
  await addRoutes(app, context, breather);
  await serveFiles(app, () => rest(app, breather));
  await app.ready();
  return app;
}

/** Lets the library settle what it was given so far, and others have their turn. */
async function rest(app: FastifyInstance, breather: Breather): Promise<void> {
  if (!breather.due) return;
  await app.after();
  await breather.rest();
}

async function addRoutes(
  app: FastifyInstance,
  context: Context,
  breather: Breather,
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
        if (route.method !== 'GET') checkType(request.headers, kind === 'definitions');
        const person = await admit(context, route, request, attempts);
        const bodyMax = bodyBytesMax(kind, context.bodyBytesMax);
        (request as Admitted).admitted = { person, response: reply.raw, bodyMax };
        if (route.method === 'GET' || route.path.endsWith('/get')) {
          await answers.turn(person.name, reply.raw);
        }
      },
      handler: async (request, reply) => {
        const { person } = (request as Admitted).admitted;
        const bytes = Buffer.isBuffer(request.body) ? request.body : NO_BYTES;
        const type = request.headers['content-type'];
        const body = await readJson(bytes, type, kind, context.clock);
        const call = new Call(context, person, attempts, request, body);
        return send(call, reply, answers, await route.run(call));
      },
    });
    await rest(app, breather);
  }
  for (const [url, known] of methods) {
    refuseOthers(app, url, known);
    await rest(app, breather);
  }
}

/** A request that was let in, on its way to its route. */
interface Admitted extends FastifyRequest {
  admitted: {
    readonly person: Person;
    readonly response: FastifyReply['raw'];
    readonly bodyMax: number;
  };
}

const NO_BYTES = Buffer.alloc(0);

/** Methods that change nothing. */
const READING = ['GET', 'HEAD', 'OPTIONS'];

const METHODS = ['GET', 'HEAD', 'PUT', 'POST', 'DELETE', 'PATCH'];

/** A path that is there has other answers for methods that are not than a path that is not. */
function refuseOthers(app: FastifyInstance, url: string, known: readonly string[]): void {
  const allowed = known.includes('GET') ? ['HEAD', ...known] : known;
  const refuse = (reply: FastifyReply): FastifyReply =>
    reply.code(405).header('allow', allowed.join(', ')).send();
  app.route({
    method: METHODS.filter((method) => !allowed.includes(method)),
    url,
    onRequest: async (_request, reply) => refuse(reply),
    handler: async (_request, reply) => refuse(reply),
  });
}

const NO_USER: Person = { name: '', tags: [] };

async function admit(
  context: Context,
  { level, probe }: Route,
  request: FastifyRequest,
  attempts: Attempts,
): Promise<Person> {
  if (level === null || (probe === true && context.openProbes)) return NO_USER;
  const { authorization } = request.headers;
  const address = request.ip;
  const { socket } = request.raw;
  const person = await authenticate(context.view, authorization, address, socket, attempts);
  if (person === null) throw new HttpError(401, 'not_authorized', 'Login failed');
  if (!reaches(person.tags, 'management')) throw notAuthorised(REFUSALS.management);
  if (!reaches(person.tags, level)) throw notAuthorised(REFUSALS[level]);
  return person;
}

async function send(
  { context, breather }: Call,
  reply: FastifyReply,
  answers: Answers,
  result: Result,
): Promise<FastifyReply> {
  if (result === undefined) return reply.code(204).send();
  if (result instanceof Answer) {
    reply.code(result.status).headers(result.headers);
    return result.body === null ? reply.send() : sendJson(reply, JSON.stringify(result.body));
  }
  const pieces = await piecesOfResult(result, breather);
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
  return reply.header('content-type', 'application/json').send(json);
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
    return sendJson(reply.code(500), JSON.stringify(body));
  }
  if (known.error === 'not_authorized') reply.header('www-authenticate', CHALLENGE);
  const body = { error: known.error, reason: known.message };
  return sendJson(reply.code(known.status), JSON.stringify(body));
}

/** What the HTTP library refuses by itself, such as a body that is too large. */
function ownError(error: unknown): HttpError | null {
  const { statusCode, message } = error as { statusCode?: number; message?: string };
  if (statusCode === undefined || statusCode < 400 || statusCode >= 500) return null;
  return new HttpError(statusCode, 'bad_request', message ?? '');
}
