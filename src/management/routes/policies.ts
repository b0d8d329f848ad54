// Owns the routes of policies, operator policies, parameters and definitions.

import type { ParameterView } from '../../broker/view/parameters.ts';
import type { PolicyListing } from '../../broker/view/policies.ts';
import { type JsonObject, numberOf } from '../../util/json/json.ts';
import { jsonText } from '../../util/json/json-writer.ts';
import type { Rows } from '../../util/rows.ts';
import { type Piece, type Pieces, piecesOf } from '../answers/json-pieces.ts';
import type { Call } from '../call.ts';
import { notAuthorised } from '../http-error.ts';
import { listWhole } from '../listing.ts';
import { type AccessLevel, REFUSALS } from '../principal.ts';
import { done, get, ofDirectory, post, put, type Route, remove, saved } from '../route.ts';
import { walked } from '../time-slice.ts';
import { CLUSTER_NAME } from './overview.ts';

type Layer = 'policy' | 'operator_policy';

/** The routes of one layer of policies: one is shown by name only to users that may change it. */
function policyRoutes(base: string, layer: Layer, level: AccessLevel): Route[] {
  return [
    get(base, 'management', (call) => listWhole(call, policies(call, layer))),
    get(`${base}/:vhost`, 'management', (call) => listWhole(call, policies(call, layer))),
    get(`${base}/:vhost/:name`, level, (call) => policy(call, layer)),
    put(`${base}/:vhost/:name`, level, async (call) => {
      const vhost = call.vhost();
      const name = call.param('name');
      const body = call.object('pattern', 'definition');
      const isNew = !(await has(policies(call, layer), call));
      const { priority = 0, 'apply-to': applyTo = 'all' } = body;
      call.view.setPolicy(layer, vhost, name, {
        pattern: body['pattern'],
        definition: body['definition'],
        // Old tools write it as a text.
        priority: typeof priority === 'string' ? numberOf(priority) : priority,
        applyTo,
      });
      return saved(call, isNew);
    }),
    remove(`${base}/:vhost/:name`, level, async (call) => {
      await policy(call, layer);
      call.view.clearPolicy(layer, call.vhost(), call.param('name'));
      return done(call);
    }),
  ];
}

function policies(call: Call, layer: Layer): Rows<PolicyListing> {
  return call.view.defined.policies(layer, call.vhostOrAll());
}

function policy(call: Call, layer: Layer): Promise<object> {
  return named(policies(call, layer), call);
}

/** What has the name of the path; 404 where nothing has. */
function named<T extends { readonly name: string }>(rows: Rows<T>, call: Call): Promise<T> {
  return call.first(rows, ({ name }) => name === call.param('name'));
}

/** Whether anything has the name of the path. */
function has(rows: Rows<{ readonly name: string }>, call: Call): Promise<boolean> {
  return call.any(rows, ({ name }) => name === call.param('name'));
}

export const POLICY_ROUTES: readonly Route[] = [
  ...policyRoutes('/policies', 'policy', 'policymaker'),
  ...policyRoutes('/operator-policies', 'operator_policy', 'administrator'),
];

export const PARAMETER_ROUTES: readonly Route[] = [
  get('/parameters', 'policymaker', (call) => listWhole(call, parameters(call))),
  get('/parameters/:component', 'policymaker', (call) => listWhole(call, parameters(call))),
  get('/parameters/:component/:vhost', 'policymaker', (call) => listWhole(call, parameters(call))),
  get('/parameters/:component/:vhost/:name', 'policymaker', (call) => parameter(call)),
  put('/parameters/:component/:vhost/:name', 'policymaker', async (call) => {
    const { value } = call.object('value');
    const { component, name } = call.params as { component: string; name: string };
    checkComponent(call);
    const isNew = !(await has(parameters(call), call));
    const why = call.view.setParameter({ vhost: call.vhost(), component, name, value });
    if (why !== null) warnOfParameter(call, why);
    const answer = await saved(call, isNew);
    // Other clients are answered as by RabbitMQ.
    return call.flag('report') ? { warnings: why === null ? [] : [why] } : answer;
  }),
  remove('/parameters/:component/:vhost/:name', 'policymaker', async (call) => {
    checkComponent(call);
    await parameter(call);
    call.view.clearParameter(call.vhost(), call.param('component'), call.param('name'));
    return done(call);
  }),
  get('/global-parameters', 'policymaker', (call) =>
    listWhole(call, call.view.defined.globalParameters(), ['name']),
  ),
  get('/global-parameters/:name', 'policymaker', (call) => globalParameter(call)),
  ...ofDirectory(
    put('/global-parameters/:name', 'policymaker', (call) => {
      const { value } = call.object('value');
      const name = call.param('name');
      checkGlobal(call);
      const isNew = call.view.defined.globalParameter(name) === null;
      call.view.setGlobalParameter(name, value);
      return saved(call, isNew);
    }),
  ),
  ...ofDirectory(
    remove('/global-parameters/:name', 'policymaker', (call) => {
      checkGlobal(call);
      globalParameter(call);
      call.view.clearGlobalParameter(call.param('name'));
      return done(call);
    }),
  ),
];

function* parameters(call: Call): Rows<ParameterView> {
  const { component } = call.params;
  for (const each of call.view.defined.parameters(call.vhostOrAll())) {
    yield component === undefined || each?.component === component ? each : null;
  }
}

function parameter(call: Call): Promise<object> {
  return named(parameters(call), call);
}

/** Programs set the same parameter again and again: a limited number of lines says that it changes nothing. */
function warnOfParameter(call: Call, why: string): void {
  const { log, admitsLine } = call.context;
  if (!admitsLine('parameter without effect')) return;
  const { component, name, vhost } = call.params;
  log.warn({ vhost, component, name }, `parameter kept without effect: ${why}`);
}

/** Limits of vhosts and operator policies are parameters too, and no policymaker's to change. */
function checkComponent(call: Call): void {
  const component = call.param('component');
  if (component === 'vhost-limits' || component === 'operator_policy') {
    requireAdministrator(call);
  }
}

/** The name of the cluster is a parameter that has a route of its own, for administrators. */
function checkGlobal(call: Call): void {
  if (call.param('name') === CLUSTER_NAME) requireAdministrator(call);
}

function requireAdministrator(call: Call): void {
  if (!call.reaches('administrator')) throw notAuthorised(REFUSALS.administrator);
}

function globalParameter(call: Call): object {
  return call.found(call.view.defined.globalParameter(call.param('name')));
}

export const DEFINITION_ROUTES: readonly Route[] = [
  get('/definitions', 'administrator', (call) => exported(call, null)),
  get('/definitions/:vhost', 'administrator', (call) => exported(call, vhostOf(call, 400))),
  ...ofDirectory(post('/definitions', 'administrator', (call) => imported(call), 'definitions')),
  // What old tools call the same.
  get('/all-configuration', 'administrator', (call) => exported(call, null)),
  post('/all-configuration', 'administrator', (call) => imported(call), 'definitions'),
  post(
    '/definitions/:vhost',
    'administrator',
    (call) => imported(call, vhostOf(call, 404)),
    'definitions',
  ),
];

/** The vhost of the path; where it is not there the answer has RabbitMQ's words and this status. */
function vhostOf(call: Call, status: 400 | 404): string {
  if (call.view.snapshots.hasVhost(call.param('vhost'))) return call.vhost();
  return call.fail(status, status === 400 ? 'bad_request' : 'not_found', 'vhost_not_found');
}

/** Definitions row by row, so that many of them delay no other work. */
async function exported(call: Call, vhost: string | null): Promise<Pieces> {
  const pieces: Piece[] = [];
  const sections = call.view.snapshots.definitions(call.view.version, vhost);
  for (const [at, [key, value]] of sections.entries()) {
    const start = `${at === 0 ? '{' : ','}${jsonText(key)}:`;
    if (!call.view.snapshots.isRows(value)) {
      pieces.push(start + jsonText(value));
      continue;
    }
    pieces.push(...(await piecesOf(`${start}[`, texts(value), ']', call.timeSlice)));
  }
  pieces.push('}');
  return { pieces };
}

function* texts(rows: Rows<JsonObject>): Rows<string> {
  for (const row of rows) yield row === null ? null : jsonText(row);
}

/** Takes in definitions. A client that asks for a report, or to skip something, is told of it; others are as by RabbitMQ. */
async function imported(call: Call, vhost?: string): Promise<object | undefined> {
  const json = call.object();
  const skipUnsupported = call.flag('skip_unsupported');
  const options = { vhost, skipUnsupported };
  const prepared = await walked(call.view.prepareImport(json, options), call.timeSlice);
  await call.view.applyImport(prepared);
  const { log, admitsLine } = call.context;
  const user = call.principal.name;
  for (const warning of prepared.warnings) {
    if (admitsLine('warning of an import')) log.warn({ user }, warning);
  }
  const text = 'definitions imported';
  if (admitsLine(text)) log.info({ user, vhost }, text);
  await done(call);
  return skipUnsupported || call.flag('report') ? { warnings: prepared.warnings } : undefined;
}
