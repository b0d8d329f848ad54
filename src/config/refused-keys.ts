// Owns the keys of rabbitmq.conf that are refused on purpose, with the reason and a way out. Never
// holds a key that is merely unknown.

/** Why a key is refused. */
export interface Refusal {
  readonly what: string;
  readonly wayOut: string;
}

const REFUSALS: readonly { readonly key: RegExp; readonly refusal: Refusal }[] = [
  {
    key: /^ssl_options\.(cert|cacerts\..*|key\..*)$/,
    refusal: {
      what: 'certificates and keys are read from files only',
      wayOut: 'use ssl_options.cacertfile, ssl_options.certfile and ssl_options.keyfile',
    },
  },
  {
    key: /^ssl_options\.dh$/,
    refusal: {
      what: 'Diffie-Hellman parameters are read from a file only',
      wayOut: 'use ssl_options.dhfile, or remove it: ECDHE needs none',
    },
  },
  {
    key: /^ssl_options\.crl_check$/,
    refusal: {
      what: 'revoked certificates are not looked up',
      wayOut: 'remove it, and take the users of revoked certificates away',
    },
  },
  {
    key: /^ssl_options\.psk_identity$/,
    refusal: { what: 'pre-shared keys are not taken', wayOut: 'remove it, and use certificates' },
  },
  {
    key: /^ssl_options\.(log_alert|log_level)$/,
    refusal: {
      what: 'failed handshakes are logged as warnings, whatever this says',
      wayOut: 'remove it, or use log.level',
    },
  },
  {
    key: /^log\.(file|dir|syslog|exchange|journald)(\..*)?$/,
    refusal: {
      what: 'the log goes to standard output alone',
      wayOut: 'remove it, and have whatever runs the broker keep or send the log',
    },
  },
  {
    key: /^log\.[a-z_]+\.level$/,
    refusal: {
      what: 'there is one level for all lines and one place for them',
      wayOut: 'remove it, or use log.level',
    },
  },
  {
    key: /^ssl_options\.bypass_pem_cache$/,
    refusal: {
      what: 'there is no such cache: files are read at the start and on SIGHUP',
      wayOut: 'remove it',
    },
  },
  {
    key: /^tcp_listen_options\.(buffer|recbuf|sndbuf|linger\..*|priority|tos|high_.*|low_.*)$/,
    refusal: {
      what: 'Node.js leaves this option of sockets to the system',
      wayOut: 'remove it, and set it for the whole system where it matters',
    },
  },
  {
    key: /^tcp_listen_options\.(exit_on_close|send_timeout_close|delay_send|packet)$/,
    refusal: {
      what: 'a connection always ends when its peer is gone or takes nothing',
      wayOut: 'remove it; tcp_listen_options.send_timeout says how long a peer may take nothing',
    },
  },
  {
    key: /^(definitions\.(import_backend|local\.path|https\..*|tls\..*)|management\.load_definitions)$/,
    refusal: {
      what: 'definitions are loaded from files alone',
      wayOut: 'name them, or their folder, in load_definitions',
    },
  },
  {
    key: /^ssl_allow_poodle_attack$/,
    refusal: { what: 'SSL 3.0 is never spoken', wayOut: 'remove it' },
  },
];

/** The reason why a key is refused, or null. */
export function refusalOf(key: string): Refusal | null {
  return REFUSALS.find((each) => each.key.test(key))?.refusal ?? null;
}
