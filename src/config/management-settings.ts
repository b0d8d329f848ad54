// Owns the rows of the settings table that say where tools connect: the HTTP API with the web UI, and
// Prometheus. Never listens: management/ and metrics/ do.

import {
  boolean,
  type Common,
  choice,
  integer,
  names,
  optionalText,
  readPort,
  type Setting,
  setting,
} from './setting.ts';

/** The ports of RabbitMQ's tools, which another broker on the machine may have. */
export const MANAGEMENT_PORT = 15672;
export const PROMETHEUS_PORT = 15692;

/** A port, or null for `none`. */
function optionalPort(
  row: Common & { readonly flag?: string; readonly initial: number | null },
): Setting<number | null> {
  const expects = 'none, or a port from 0 to 65535';
  return setting({ ...row, initial: row.initial }, '<port>', expects, {
    read: (given) => (given === 'none' ? null : readPort(given, expects)),
    show: (port) => (port === null ? 'none' : String(port)),
  });
}

/** Where tools connect, and what they may cost. */
export const MANAGEMENT_SETTINGS = {
  managementPort: optionalPort({
    key: 'management.tcp.port',
    flag: '--management-port',
    about:
      'The port of the HTTP API and the web UI; `none` for neither, 0 picks a free one. Where 15672 is ' +
      'taken, as by a RabbitMQ beside it, the broker goes without and says so.',
    initial: MANAGEMENT_PORT,
  }),
  managementHost: optionalText({
    key: 'management.tcp.ip',
    argument: '<host>',
    about: 'The address to listen on for them; `none`: that of the AMQP listener.',
    example: 'management.tcp.ip = 127.0.0.1',
  }),
  managementSslPort: optionalPort({
    key: 'management.ssl.port',
    about: 'The port of the same over TLS, usually 15671; `none` for none.',
    initial: null,
    example: 'management.ssl.port = 15671',
  }),
  managementSslHost: optionalText({
    key: 'management.ssl.ip',
    argument: '<host>',
    about: 'The address to listen on for it; `none`: that of the AMQP listener.',
    example: 'management.ssl.ip = 0.0.0.0',
  }),
  managementSslCertfile: optionalText({
    key: 'management.ssl.certfile',
    argument: '<file>',
    about:
      'The certificate (PEM) to show there; without it that of `ssl_options.certfile` is shown, with its key.',
    example: 'management.ssl.certfile = /etc/leveret/management.pem',
  }),
  managementSslKeyfile: optionalText({
    key: 'management.ssl.keyfile',
    argument: '<file>',
    about: 'The private key (PEM) of that certificate; looked for in `certfile` when left out.',
    example: 'management.ssl.keyfile = /etc/leveret/management.key',
  }),
  managementSslCacertfile: optionalText({
    key: 'management.ssl.cacertfile',
    argument: '<file>',
    about: 'Certificates (PEM) that stand between that certificate and the root.',
    example: 'management.ssl.cacertfile = /etc/leveret/ca.pem',
  }),
  managementSslPassword: optionalText({
    key: 'management.ssl.password',
    argument: '<password>',
    about: 'The password of that private key, if it has one.',
    example: "management.ssl.password = 'pa#s word'",
  }),
  managementBodyBytesMax: integer({
    key: 'management.http.max_body_size',
    about:
      'The largest file of definitions that a request may bring. Other requests may have 256 KiB, those ' +
      'that publish a message 8 MiB.',
    initial: 20_000_000,
    min: 1024,
    max: 2 ** 29,
    unit: 'bytes',
  }),
  managementOpenProbes: boolean({
    key: 'management.health_checks_without_login',
    about:
      'Have what lies below `/api/health/checks/` answer without a login, for probes that have no ' +
      'password. It tells anybody which ports are open, and which certificates expire.',
    initial: false,
  }),
  managementAllowedHosts: names({
    key: 'management.http.allowed_hosts',
    about:
      'Names under which browsers and changes may come from this machine, besides addresses, names without a ' +
      'dot and that of the machine: for a proxy, or a name in the DNS. `*.example.com` stands for all below.',
    initial: [],
    example: 'management.http.allowed_hosts = mq.example.com',
  }),
  managementAllowedOrigins: names({
    key: 'management.http.allowed_origins',
    about:
      'Origins of pages, besides the own ones, that may change something over HTTP and speak AMQP over WebSocket.',
    initial: [],
    example: 'management.http.allowed_origins = https://shop.example.com',
  }),
  managementWebSocket: choice({
    key: 'management.tcp.web_socket',
    about:
      'Whether AMQP over WebSocket is taken on the port without TLS: `auto` where there is an AMQP listener ' +
      'without TLS too. It is always taken over TLS.',
    initial: 'auto' as 'auto' | 'on' | 'off',
    words: { auto: 'auto', on: 'on', off: 'off' },
    argument: '<when>',
  }),
  statisticsIntervalMs: integer({
    key: 'collect_statistics_interval',
    about: 'How often rates are taken, once somebody has looked at them.',
    initial: 5000,
    min: 100,
    max: 3_600_000,
    unit: 'milliseconds',
  }),
  prometheusPort: optionalPort({
    key: 'prometheus.tcp.port',
    flag: '--prometheus-port',
    about: 'The port of the metrics for Prometheus; `none` for none, 0 picks a free one.',
    initial: PROMETHEUS_PORT,
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
