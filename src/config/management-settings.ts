// Owns the rows of the settings table that say where tools connect: the HTTP API with the web UI, and
// Prometheus. Never listens: management/ and metrics/ do.

import {
  boolean,
  type Common,
  choice,
  expected,
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

/** No proxy needs a longer one. */
const PATH_CHARS_MAX = 255;

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

/** A path of URLs, without a slash at its end; '' is that of the root. No client sends one with parts of dots alone. */
function urlPath(
  row: Common & {
    readonly initial: string;
    readonly such: string;
    /** RabbitMQ puts the first slash before it, where it is missing. */
    readonly slashMissing?: true;
  },
): Setting<string> {
  const expects = `a path such as ${row.such}`;
  return setting(row, '<path>', expects, {
    read: (given) => {
      const slash = row.slashMissing === true && !given.startsWith('/') ? '/' : '';
      const path = `${slash}${given}`.replace(/\/+$/, '');
      if (given === '' || !/^(\/(?!\.{1,2}(\/|$))[\w.~-]+)*$/.test(path))
        throw expected(expects, given);
      if (path.length > PATH_CHARS_MAX) throw expected(expects, given);
      return path;
    },
    show: (path) => path || '/',
  });
}

/** Where tools connect, and what they may cost. */
export const MANAGEMENT_SETTINGS = {
  managementPort: optionalPort({
    key: 'management.tcp.port',
    flag: '--management-port',
    about:
      'The port of the HTTP API and the web UI; `none` for neither, 0 picks a free one. Where 15672 is ' +
      'in use, for example by a RabbitMQ beside it, the broker starts without it and logs a warning.',
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
      'The certificate (PEM) of that port. Without it, `ssl_options.certfile` and its key are used.',
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
    about: 'The intermediate certificates (PEM) between that certificate and the root.',
    example: 'management.ssl.cacertfile = /etc/leveret/ca.pem',
  }),
  managementSslPassword: optionalText({
    key: 'management.ssl.password',
    argument: '<password>',
    about: 'The password of that private key, if it has one.',
    example: "management.ssl.password = 'pa#s word'",
  }),
  managementPathPrefix: urlPath({
    key: 'management.path_prefix',
    about:
      'Where the HTTP API, the web UI and AMQP over WebSocket lie, for a proxy that hands on paths as they are: with ' +
      '`/rabbit` at `/rabbit/api`, `/rabbit/` and `/rabbit/ws`, and nowhere else.',
    initial: '',
    such: '/rabbit',
    slashMissing: true,
    example: 'management.path_prefix = /rabbit',
  }),
  managementBodyBytesMax: integer({
    key: 'management.http.max_body_size',
    about:
      'The largest file of definitions that a request may carry. Other requests may carry 256 KiB; a request ' +
      'that publishes a message, 8 MiB.',
    initial: 32 * 2 ** 20,
    min: 1024,
    max: 2 ** 29,
    unit: 'bytes',
  }),
  managementOpenProbes: boolean({
    key: 'management.health_checks_without_login',
    about:
      'Answer everything below `/api/health/checks/` without a login, for probes that have no ' +
      'password. It then tells every client which ports are open and which certificates expire.',
    initial: false,
  }),
  managementAllowedHosts: names({
    key: 'management.http.allowed_hosts',
    about:
      'Host names that browsers and requests from this machine may use, besides addresses, names without a ' +
      'dot and the name of the machine: for a proxy, or a name in the DNS. `*.example.com` means all names below it.',
    initial: [],
    example: 'management.http.allowed_hosts = mq.example.com',
  }),
  managementAllowedOrigins: names({
    key: 'management.http.allowed_origins',
    about:
      'Origins of web pages, besides its own, that may read and change all over HTTP with the login that a browser ' +
      'has, and use AMQP over WebSocket. `*` means all but `null`, which sandboxed pages and files have.',
    initial: [],
    example: 'management.http.allowed_origins = https://shop.example.com',
  }),
  managementWebSocket: choice({
    key: 'management.tcp.web_socket',
    about:
      'Whether the port without TLS accepts AMQP over WebSocket. `auto`: yes, if there is also an AMQP listener ' +
      'without TLS. The port with TLS always accepts it.',
    initial: 'auto' as 'auto' | 'on' | 'off',
    words: { auto: 'auto', on: 'on', off: 'off' },
    argument: '<when>',
  }),
  statisticsIntervalMs: integer({
    key: 'collect_statistics_interval',
    about: 'How often rates are computed, once a tool has asked for them.',
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
  prometheusSslPort: optionalPort({
    key: 'prometheus.ssl.port',
    about: 'The port of the metrics over TLS, usually 15691; `none` for none.',
    initial: null,
    example: 'prometheus.ssl.port = 15691',
  }),
  prometheusSslHost: optionalText({
    key: 'prometheus.ssl.ip',
    argument: '<host>',
    about: 'The address to listen on for it; `none`: that of the AMQP listener.',
    example: 'prometheus.ssl.ip = 0.0.0.0',
  }),
  prometheusSslCertfile: optionalText({
    key: 'prometheus.ssl.certfile',
    argument: '<file>',
    about:
      'The certificate (PEM) of that port. Without it, `ssl_options.certfile` and its key are used.',
    example: 'prometheus.ssl.certfile = /etc/leveret/metrics.pem',
  }),
  prometheusSslKeyfile: optionalText({
    key: 'prometheus.ssl.keyfile',
    argument: '<file>',
    about: 'The private key (PEM) of that certificate; looked for in `certfile` when left out.',
    example: 'prometheus.ssl.keyfile = /etc/leveret/metrics.key',
  }),
  prometheusSslCacertfile: optionalText({
    key: 'prometheus.ssl.cacertfile',
    argument: '<file>',
    about: 'The intermediate certificates (PEM) between that certificate and the root.',
    example: 'prometheus.ssl.cacertfile = /etc/leveret/ca.pem',
  }),
  prometheusSslPassword: optionalText({
    key: 'prometheus.ssl.password',
    argument: '<password>',
    about: 'The password of that private key, if it has one.',
    example: "prometheus.ssl.password = 'pa#s word'",
  }),
  prometheusPath: urlPath({
    key: 'prometheus.path',
    about: 'The path of the metrics; others, such as that of `detailed`, are below it.',
    initial: '/metrics',
    such: '/metrics',
  }),
  prometheusPerObject: boolean({
    key: 'prometheus.return_per_object_metrics',
    about: 'Have `/metrics` show each queue by itself, as `/metrics/per-object` does.',
    initial: false,
  }),
};
