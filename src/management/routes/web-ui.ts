// Owns the routes that the web UI asks beside those of RabbitMQ's API. Never serves a file of it: static.ts does.

import { reference } from '../../broker/view/tables/reference.ts';
import { LEVELS, LINES_MAX } from '../../util/log/kept-lines.ts';
import { type Call, integerOf } from '../call.ts';
import { badRequest } from '../http-error.ts';
import { get, type Route } from '../route.ts';

export const WEB_UI_ROUTES: readonly Route[] = [
  get('/leveret/status', 'management', (call) => ({
    node: call.view.snapshots.node,
    version: call.view.version,
    cluster: call.context.cluster?.name ?? null,
    alarms: alarms(call),
  })),
  get('/leveret/reference', 'management', () => reference()),
  get('/leveret/log', 'administrator', log),
];

/** The last lines of the log, the newest first. */
function log({ query, context }: Call): object {
  const { logLines } = context;
  const level = LEVELS.find((each) => each === (query['level'] ?? 'trace'));
  if (level === undefined) throw badRequest(`level must be one of ${LEVELS.join(', ')}`);
  const count = integerOf('count', query['count'], LINES_MAX, LINES_MAX);
  const lines = logLines.find(level, query['text'] ?? '', count);
  return { ...logLines.counts, lines };
}

/** Which resources are short; the figures are for users that may monitor the node. */
function alarms(call: Call): object[] {
  const now = call.view.resources();
  const shown = call.reaches('monitoring');
  const memory = shown ? { used: now.mem_used, limit: now.mem_limit } : {};
  const disk = shown ? { free: now.disk_free, limit: now.disk_free_limit } : {};
  const log = shown ? { used: now.log_used, limit: now.log_limit } : {};
  return [
    ...(now.mem_alarm ? [{ resource: 'memory', ...memory }] : []),
    ...(now.disk_free_alarm ? [{ resource: 'disk', ...disk }] : []),
    ...(now.log_alarm === true ? [{ resource: 'log', ...log }] : []),
  ];
}
