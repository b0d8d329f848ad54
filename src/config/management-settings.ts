// Owns the rows of the settings table that say where tools connect: the HTTP API with the web UI, and
// Prometheus. Never listens: management/ and metrics/ do.

import {
  boolean,
  expected,
  integer,
  optionalText,
  readPort,
  type Setting,
  setting,
} from './setting.ts';

/** A port, or null for `none`. A port that nobody chose may be taken: then the broker does without. */
export interface ToolPort {
  readonly port: number | null;
  readonly chosen: boolean;
}

function toolPort(row: {
  readonly key: string;
  readonly flag: string;
  readonly about: string;
  readonly port: number;
}): Setting<ToolPort> {
  const expects = 'none, or a port from 0 to 65535';
  const initial: ToolPort = { port: row.port, chosen: false };
  return setting({ ...row, initial }, '<port>', expects, {
    read: (given) => {
      if (given === '') throw expected(expects, given);
      return { port: given === 'none' ? null : readPort(given, expects), chosen: true };
    },
    show: ({ port }) => (port === null ? 'none' : String(port)),
  });
}

/** Where tools connect, and what they may cost. */
export const MANAGEMENT_SETTINGS = {
  managementPort: toolPort({
    key: 'management.tcp.port',
    flag: '--management-port',
    about:
      'The port of the HTTP API and the web UI; `none` for neither, 0 picks a free one. If nobody set ' +
      'it and it is taken, the broker goes without and says so.',
    port: 15672,
  }),
  managementHost: optionalText({
    key: 'management.tcp.ip',
    argument: '<host>',
    about: 'The address to listen on for them; `none`: that of the AMQP listener.',
    example: 'management.tcp.ip = 127.0.0.1',
  }),
  managementBodyBytesMax: integer({
    key: 'management.http.max_body_size',
    about: 'The largest body of a request, such as a file of definitions.',
    initial: 20_000_000,
    min: 1024,
    max: 2 ** 29,
    unit: 'bytes',
  }),
  statisticsIntervalMs: integer({
    key: 'collect_statistics_interval',
    about: 'How often rates are taken, once somebody has looked at them.',
    initial: 5000,
    min: 100,
    max: 3_600_000,
    unit: 'milliseconds',
  }),
  prometheusPort: toolPort({
    key: 'prometheus.tcp.port',
    flag: '--prometheus-port',
    about: 'The port of the metrics for Prometheus; `none` for none, 0 picks a free one.',
    port: 15692,
  }),
  prometheusHost: optionalText({
    key: 'prometheus.tcp.ip',
    argument: '<host>',
    about: 'The address to listen on for Prometheus; `none`: that of the AMQP listener.',
    example: 'prometheus.tcp.ip = 127.0.0.1',
  }),
  prometheusPerObject: boolean({
    key: 'prometheus.return_per_object_metrics',
    about: 'Have `/metrics` show each queue by itself, as `/metrics/per-object` does.',
    initial: false,
  }),
};
