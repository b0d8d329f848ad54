// Owns the rows of the settings table for TLS and for the ways to log in. Never reads a certificate:
// server/tls/context.ts does.

import { listeners, numbered, ordered } from './map-setting.ts';
import { boolean, choice, integer, optionalText } from './setting.ts';

const VERSIONS = { 'tlsv1.3': 'tlsv1.3', 'tlsv1.2': 'tlsv1.2' } as const;
const MECHANISMS = ['PLAIN', 'AMQPLAIN', 'EXTERNAL', 'ANONYMOUS'] as const;

type Version = keyof typeof VERSIONS;
type Mechanism = (typeof MECHANISMS)[number];

/** A part of the one table in settings.ts. */
export const TLS_SETTINGS = {
  sslListeners: listeners({
    key: 'listeners.ssl',
    about:
      'Where to listen for AMQP connections over TLS, as `listeners.ssl.<name>`. ' +
      'A port alone means localhost.',
    initial: new Map(),
    halves: false,
    example: 'listeners.ssl.default = 5671',
  }),
  sslCacertfile: optionalText({
    key: 'ssl_options.cacertfile',
    argument: '<file>',
    about: 'The certificates (PEM) of the authorities that may sign client certificates.',
    example: 'ssl_options.cacertfile = /etc/leveret/ca.pem',
  }),
  sslCertfile: optionalText({
    key: 'ssl_options.certfile',
    argument: '<file>',
    about: "The broker's own certificate (PEM), followed by the intermediate certificates.",
    example: 'ssl_options.certfile = /etc/leveret/server.pem',
  }),
  sslKeyfile: optionalText({
    key: 'ssl_options.keyfile',
    argument: '<file>',
    about: 'The private key (PEM) of that certificate; looked for in `certfile` when left out.',
    example: 'ssl_options.keyfile = /etc/leveret/server.key',
  }),
  sslPassword: optionalText({
    key: 'ssl_options.password',
    argument: '<password>',
    about: 'The password of the private key, if it has one.',
    example: "ssl_options.password = 'pa#s word'",
  }),
  sslVerify: choice({
    key: 'ssl_options.verify',
    about: 'Whether clients are asked for a certificate (verify_peer), which must then be good.',
    initial: 'verify_none',
    words: { verify_none: 'verify_none', verify_peer: 'verify_peer' } as const,
  }),
  sslFailIfNoPeerCert: boolean({
    key: 'ssl_options.fail_if_no_peer_cert',
    about: 'With verify_peer: refuse clients without a certificate.',
    initial: false,
  }),
  sslDepth: integer({
    key: 'ssl_options.depth',
    about: "How many certificates may stand between a client's and the root.",
    initial: Number.POSITIVE_INFINITY,
    min: 0,
    max: 100,
    infinite: true,
  }),
  sslVersions: ordered<Version>({
    key: 'ssl_options.versions',
    about: 'The versions of TLS that are spoken, as `ssl_options.versions.<n>`.',
    initial: numbered<Version>('tlsv1.3', 'tlsv1.2'),
    expects: 'tlsv1.3 or tlsv1.2',
    read: (text) => (text in VERSIONS ? (text as Version) : null),
  }),
  sslCiphers: ordered({
    key: 'ssl_options.ciphers',
    about:
      'The cipher suites that are offered, as `ssl_options.ciphers.<n>`, by the names that ' +
      '`openssl ciphers` prints. None: Node.js decides.',
    initial: numbered(),
    expects: 'names of cipher suites',
    read: (text) => (/^[A-Za-z0-9_-]+$/.test(text) ? text : null),
    example: 'ssl_options.ciphers.1 = TLS_AES_256_GCM_SHA384',
  }),
  sslHonorCipherOrder: boolean({
    key: 'ssl_options.honor_cipher_order',
    about: "Prefer the broker's order of cipher suites and curves to that of the client.",
    initial: false,
  }),
  sslHonorEccOrder: boolean({
    key: 'ssl_options.honor_ecc_order',
    about: 'The same as `ssl_options.honor_cipher_order`: OpenSSL has one switch for both.',
    initial: false,
  }),
  sslDhfile: optionalText({
    key: 'ssl_options.dhfile',
    argument: '<file>',
    about: 'Diffie-Hellman parameters (PEM) for the DHE cipher suites of TLS 1.2.',
    example: 'ssl_options.dhfile = /etc/leveret/dh.pem',
  }),
  sslClientRenegotiation: boolean({
    key: 'ssl_options.client_renegotiation',
    about: 'Whether a client of TLS 1.2 may renegotiate. It costs the broker more than the client.',
    initial: false,
  }),
  sslSecureRenegotiate: choice({
    key: 'ssl_options.secure_renegotiate',
    about: 'Renegotiation is always that of RFC 5746.',
    initial: 'true',
    words: { true: 'true' } as const,
  }),
  sslReuseSessions: boolean({
    key: 'ssl_options.reuse_sessions',
    about:
      'Whether a client may resume a TLS session. With verify_peer it may not: its certificate ' +
      'is verified each time.',
    initial: true,
  }),
  sslHandshakeTimeoutMs: integer({
    key: 'ssl_handshake_timeout',
    about: 'How long the handshake of TLS may take; logging in has its own time after that.',
    initial: 5000,
    min: 1,
    max: 3_600_000,
    unit: 'milliseconds',
  }),
  sslCertLoginFrom: choice({
    key: 'ssl_cert_login_from',
    about: 'Which part of a client certificate is the user name for mechanism EXTERNAL.',
    initial: 'distinguished_name',
    words: {
      distinguished_name: 'distinguished_name',
      common_name: 'common_name',
      subject_alternative_name: 'subject_alternative_name',
      subject_alt_name: 'subject_alternative_name',
    } as const,
  }),
  sslCertLoginSanType: choice({
    key: 'ssl_cert_login_san_type',
    about: 'Which kind of subject alternative name it is.',
    initial: 'dns',
    words: {
      dns: 'dns',
      ip: 'ip',
      email: 'email',
      uri: 'uri',
      other_name: 'other_name',
    } as const,
  }),
  sslCertLoginSanIndex: integer({
    key: 'ssl_cert_login_san_index',
    about: 'Which name of that kind it is, counted from 0.',
    initial: 0,
    min: 0,
    max: 1000,
  }),
  authMechanisms: ordered<Mechanism>({
    key: 'auth_mechanisms',
    about:
      'The ways to log in that are offered, as `auth_mechanisms.<n>`. EXTERNAL is offered only to ' +
      'clients whose certificate was verified.',
    initial: numbered<Mechanism>('PLAIN', 'AMQPLAIN'),
    expects: `one of ${MECHANISMS.join(', ')}`,
    read: (text) => MECHANISMS.find((each) => each === text) ?? null,
  }),
  anonymousLoginUser: optionalText({
    key: 'anonymous_login_user',
    argument: '<name>',
    about: 'The user that mechanism ANONYMOUS logs in as, without a password.',
    example: 'anonymous_login_user = guest',
  }),
};
