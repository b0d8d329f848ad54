// Owns the HTTP application: routes, logins, answers and errors. Never knows what a route does.

import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify';
import { paced } from './breather.ts';
import { Call } from './call.ts';
import type { Context } from './context.ts';
import { HttpError, httpErrorOf, notAuthorised, notFound } from './http-error.ts';
import type { Pieces } from './listing.ts';
import { Attempts, authenticate, type Person, REFUSALS, reaches } from './person.ts';
import { Answer, type Result, type Route } from './route.ts';
import { PERMISSION_ROUTES, USER_ROUTES, VHOST_ROUTES } from './routes/access.ts';
import { CONNECTION_ROUTES } from './routes/connections.ts';
import { BINDING_ROUTES, EXCHANGE_ROUTES } from './routes/exchanges.ts';
import { HEALTH_ROUTES } from './routes/health.ts';
import { OVERVIEW_ROUTES } from './routes/overview.ts';
import { DEFINITION_ROUTES, PARAMETER_ROUTES, POLICY_ROUTES } from './routes/policies.ts';
import { QUEUE_ROUTES } from './routes/queues.ts';
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

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** Makes the application on a server that is there; `take` is given what handles its requests. */
export async function buildApp(
  context: Context,
  server: Server,
  take: (handler: Handler) => void,
): Promise<FastifyInstance> {
  const app = fastify({
    logger: false,
    bodyLimit: context.bodyBytesMax,
    routerOptions: { maxParamLength: PARAM_CHARS_MAX, ignoreTrailingSlash: true },
    serverFactory: (handler) => {
      take(handler);
      return server;
    },
  });
  // RabbitMQ's API reads any body as JSON, and so does every script written for it.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  app.addHook('onRequest', async (_request, reply) => {
    reply.headers(SECURITY_HEADERS);
  });
  app.setErrorHandler((error, request, reply) => sendError(context, error, request, reply));
  app.setNotFoundHandler((request, reply) => sendError(context, notFound(), request, reply));
  addRoutes(app, context);
  serveFiles(app);
  await app.ready();
  return app;
}

function addRoutes(app: FastifyInstance, context: Context): void {
  const attempts = new Attempts();
  const methods = new Map<string, string[]>();
  for (const route of ROUTES) {
    const url = `/api${route.path}`;
    methods.set(url, [...(methods.get(url) ?? []), route.method]);
    app.route({
      method: route.method,
      url,
      // Who has no business here does not get to send a body.
      onRequest: async (request) => {
        const person = await admit(context, route, request, attempts);
        (request as Admitted).person = person;
      },
      handler: async (request, reply) => {
        const call = new Call(context, (request as Admitted).person, attempts, request);
        return send(reply, await route.run(call));
      },
    });
  }
  for (const [url, known] of methods) refuseOthers(app, url, known);
}

interface Admitted extends FastifyRequest {
  person: Person;
}

const METHODS = ['GET', 'HEAD', 'PUT', 'POST', 'DELETE', 'PATCH'];

/** A path that is there has other answers for methods that are not than a path that is not. */
function refuseOthers(app: FastifyInstance, url: string, known: readonly string[]): void {
  const allowed = known.includes('GET') ? ['HEAD', ...known] : known;
  app.route({
    method: METHODS.filter((method) => !allowed.includes(method)),
    url,
    handler: async (_request, reply) => reply.code(405).header('allow', allowed.join(', ')).send(),
  });
}

const NOBODY: Person = { name: '', tags: [] };

async function admit(
  context: Context,
  { level, probe }: Route,
  request: FastifyRequest,
  attempts: Attempts,
): Promise<Person> {
  if (level === null || (probe === true && context.openProbes)) return NOBODY;
  const { authorization } = request.headers;
  const address = request.ip;
  const { socket } = request.raw;
  const person = await authenticate(context.view, authorization, address, socket, attempts);
  if (person === null) throw new HttpError(401, 'not_authorized', 'Login failed');
  if (!reaches(person.tags, 'management')) throw notAuthorised(REFUSALS.management);
  if (!reaches(person.tags, level)) throw notAuthorised(REFUSALS[level]);
  return person;
}

function send(reply: FastifyReply, result: Result): FastifyReply {
  if (result === undefined) return reply.code(204).send();
  if (result instanceof Answer) {
    reply.code(result.status).headers(result.headers);
    return result.body === null ? reply.send() : sendJson(reply, JSON.stringify(result.body));
  }
  if (isPieces(result)) return sendJson(reply, Readable.from(paced(result.pieces)));
  return sendJson(reply, JSON.stringify(result));
}

function isPieces(result: object): result is Pieces {
  return Array.isArray((result as Partial<Pieces>).pieces);
}

function sendJson(reply: FastifyReply, json: string | Readable): FastifyReply {
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
  if (statusCode === 413) {
    const reason = 'the body is too large, see the setting management.http.max_body_size';
    return new HttpError(413, 'bad_request', reason);
  }
  return new HttpError(statusCode, 'bad_request', message ?? '');
}
