// Owns the keys of rabbitmq.conf that are refused, since what is safe or served hangs on them, with the reasons. Never
// holds a key that no release of RabbitMQ knows.

/** Why a key is refused. */
export interface WhyRefused {
  readonly what: string;
  readonly wayOut: string;
}

interface Refused {
  readonly key: RegExp;
  /** Values that ask for what is so here in any case: with them the key is taken. */
  readonly soAnyway?: RegExp;
  readonly why: WhyRefused;
}

const OFF = /^(false|off)$/;
const BOUNDLESS = /^infinity$/;

const REFUSED: readonly Refused[] = [
  {
    key: /^ssl_options\.(cert|cacerts\..*|key\..*)$/,
    why: {
      what: 'certificates and keys are read from files only',
      wayOut: 'use ssl_options.cacertfile, ssl_options.certfile and ssl_options.keyfile',
    },
  },
  {
    key: /^ssl_options\.dh$/,
    why: {
      what: 'Diffie-Hellman parameters are read from a file only',
      wayOut: 'use ssl_options.dhfile, or remove it: ECDHE needs none',
    },
  },
  {
    key: /^ssl_options\.crl_check$/,
    soAnyway: OFF,
    why: {
      what: 'revoked certificates are not looked up',
      wayOut: 'remove it, and take the users of revoked certificates away',
    },
  },
  {
    key: /^ssl_options\.psk_identity$/,
    why: { what: 'pre-shared keys are not taken', wayOut: 'remove it, and use certificates' },
  },
  {
    key: /^definitions\.(import_backend|https\.url)$/,
    soAnyway: /^(local|local_filesystem|rabbit(mq)?_definitions_import_local_filesystem)$/,
    why: {
      what: 'definitions are loaded from files alone',
      wayOut: 'name them, or their folder, in load_definitions',
    },
  },
  {
    key: /^auth_backends\..*$/,
    soAnyway: /^(internal|rabbit_auth_backend_internal)$/,
    why: {
      what: 'users are checked by the broker itself alone',
      wayOut:
        'remove it, and make the users here, or stay with RabbitMQ if another system must check users',
    },
  },
  {
    key: /^trust_store\.(directory|url|providers\..*)$/,
    why: {
      what: 'certificates of clients are trusted for the authority that signed them alone',
      wayOut: 'remove it, and name the authorities in ssl_options.cacertfile',
    },
  },
  {
    key: /^(mqtt|stomp|stream|web_mqtt|web_stomp|web_amqp)\.(listeners\.(tcp|ssl)(\..*)?|(tcp|ssl)\.(port|listener)|port)$/,
    soAnyway: /^none$/,
    why: {
      what: 'this protocol is not spoken here',
      wayOut: 'remove it, and have its clients speak AMQP 0-9-1',
    },
  },
  {
    key: /^proxy_protocol$/,
    soAnyway: OFF,
    why: {
      what: 'the header of a proxy is not read, so that all peers would have its address',
      wayOut: 'remove it, and have the proxy send none',
    },
  },
  {
    key: /^management\.(ssl|listener\.ssl_opts)\.(verify|fail_if_no_peer_cert|crl_check)$/,
    soAnyway: /^(false|off|none|verify_none)$/,
    why: {
      what: 'the HTTP API asks no client for a certificate',
      wayOut: 'remove it, or have a proxy in front do this',
    },
  },
  {
    key: /^management\.listener\.ssl_opts\.(cert|cacerts\..*|key\..*|dh|psk_identity)$/,
    why: {
      what: 'certificates and keys are read from files only',
      wayOut: 'use management.ssl.certfile and management.ssl.keyfile',
    },
  },
  {
    key: /^prometheus\.(ssl\.(verify|fail_if_no_peer_cert|crl_check)|authentication\.enabled)$/,
    soAnyway: /^(false|off|none|verify_none)$/,
    why: {
      what: 'metrics ask no client for a certificate or a login',
      wayOut: 'remove it, or have a proxy in front do this',
    },
  },
  {
    key: /^credential_validator\.(validation_backend|min_length|regexp)$/,
    soAnyway: /^rabbit_credential_validator_accept_everything$/,
    why: {
      what: 'new passwords are not checked for their length or form',
      wayOut: 'remove it when the program that creates users checks their passwords',
    },
  },
  {
    key: /^management\.(disable_basic_auth|oauth_enabled|oauth_disable_basic_auth|enable_uaa)$/,
    soAnyway: OFF,
    why: {
      what: 'the HTTP API asks for names and passwords',
      wayOut: 'remove it, or have a proxy in front do this',
    },
  },
  {
    key: /^management\.restrictions\..*$/,
    soAnyway: OFF,
    why: {
      what: 'every administrator may change the operator policies',
      wayOut: 'remove it, and take the tag administrator from users that must not',
    },
  },
  {
    key: /^(default_users|default_policies|default_limits|user_limits)\..*$/,
    why: {
      what: 'this is not made at a start',
      wayOut: 'remove it, and name a file of definitions that has it in load_definitions',
    },
  },
  {
    key: /^(vhost_max|cluster_queue_limit|cluster_exchange_limit)$/,
    soAnyway: BOUNDLESS,
    why: {
      what: 'there is no such limit over all vhosts',
      wayOut: 'remove it, and limit each vhost (max-queues, max-connections)',
    },
  },
  {
    key: /^message_interceptors\..*$/,
    why: {
      what: 'no header is added to messages as they come in',
      wayOut: 'remove it, and have publishers set what consumers need',
    },
  },
];

/** Values that are refused wherever they stand. */
const ODD_VALUES: readonly { readonly value: RegExp; readonly why: WhyRefused }[] = [
  {
    value: /^encrypted:/,
    why: {
      what: 'encrypted values are not read',
      wayOut: 'write the value itself, or take it from the environment: $(VARIABLE)',
    },
  },
];

/** Addresses of sockets in the file system. */
const UNIX_SOCKET = /^(unix|local):/;
const LISTENER = /^listeners\.(tcp|ssl)(\.|$)/;

/** Why a key with this value is refused, or null. */
export function whyRefused(key: string, value: string): WhyRefused | null {
  const odd = ODD_VALUES.find((each) => each.value.test(value));
  if (odd !== undefined) return odd.why;
  if (LISTENER.test(key) && UNIX_SOCKET.test(value)) {
    return {
      what: 'the broker listens on no sockets in the file system',
      wayOut: 'remove it, or write a port, or an address with a port',
    };
  }
  const found = REFUSED.find((each) => each.key.test(key));
  return found === undefined || found.soAnyway?.test(value) === true ? null : found.why;
}

/** Whether a key that is refused with other values asks for what is so in any case. */
export function isSoAnyway(key: string, value: string): boolean {
  return REFUSED.some((each) => each.key.test(key) && each.soAnyway?.test(value) === true);
}
