// Owns what each key of rabbitmq.conf means here: a setting, nothing, or a refusal. Never holds a key that no release
// of RabbitMQ knows, from 3.8 to 4.4.

import { isSoAnyway, type WhyRefused, whyRefused } from './refused.ts';
import { VALUES_WITHOUT_EFFECT, WITHOUT_EFFECT } from './without-effect.ts';

/** The lines that stand together, by their keys: what some mean depends on others. */
export type Lines = ReadonlyMap<string, string>;

/** What a line of rabbitmq.conf means. */
export type Judgement =
  | { readonly is: 'setting'; readonly key: string; readonly value: string }
  | { readonly is: 'without effect'; readonly why: string }
  | ({ readonly is: 'refused' } & WhyRefused);

const ORIGINS = 'management.http.allowed_origins';

/** Keys that stand for a setting of another name. */
const SAME: ReadonlyMap<string, string> = new Map([
  ['log.console.level', 'log.level'],
  ['log.default.level', 'log.level'],
  ['management.load_definitions', 'load_definitions'],
  ['definitions.local.path', 'load_definitions'],
  ['nodename', 'node.name'],
  ['max_connections', 'connection_max'],
  ['max_channels_per_connection', 'channel_max'],
  // From 4.4 on.
  ['consumer_timeout_response', 'consumer_timeout_action'],
  ['management.cors.allow_origins', ORIGINS],
  ['management.listener.port', 'management.tcp.port'],
  ['management.listener.ip', 'management.tcp.ip'],
  ['management.listener.ssl_opts.cacertfile', 'management.ssl.cacertfile'],
  ['management.listener.ssl_opts.certfile', 'management.ssl.certfile'],
  ['management.listener.ssl_opts.keyfile', 'management.ssl.keyfile'],
  ['management.listener.ssl_opts.password', 'management.ssl.password'],
]);

/** The names of settings that only RabbitMQ has. */
export const OTHER_NAMES: readonly string[] = [...SAME.keys()];

/** The old keys of the HTTP API say with another one that they are about TLS. */
const LISTENER_WITH_TLS: ReadonlyMap<string, string> = new Map([
  ['management.listener.port', 'management.ssl.port'],
  ['management.listener.ip', 'management.ssl.ip'],
]);

/** Origins that RabbitMQ numbers, one a line; here each is a member of a set, by its name. */
const NUMBERED_ORIGIN = /^management\.cors\.allow_origins\.[^.]+$/;

/** Values that RabbitMQ has other words for. */
const WORDS: readonly { readonly key: RegExp; readonly value: RegExp; readonly means: string }[] = [
  { key: /^frame_max$/, value: /^0$/, means: '134217728' },
  { key: /^handshake_timeout$/, value: /^infinity$/, means: '3600000' },
  { key: /^consumer_timeout$/, value: /^(undefined|false|off)$/, means: 'infinity' },
  { key: /^consumer_timeout_action$/, value: /^notify_consumer$/, means: 'cancel' },
  // Only `true` keeps a user to this machine.
  { key: /^loopback_users\..+$/, value: /^(?!true$|false$).*$/, means: 'false' },
];

/**
 * What a line of rabbitmq.conf means, where `isSetting` tells which keys are settings here; null: RabbitMQ does not
 * know it either.
 */
export function judge(
  name: string,
  value: string,
  isSetting: (key: string) => boolean,
  lines: Lines = new Map(),
): Judgement | null {
  const key = settingNamed(name, lines);
  if (name === 'log.default.level' && lines.has('log.console.level')) {
    return { is: 'without effect', why: 'log.console.level says it of standard output' };
  }
  if (NUMBERED_ORIGIN.test(name)) return judgeOrigin(value, lines);
  if (isSetting(key)) return judgeSetting(key, value, lines);
  const why = whyRefused(name, value);
  if (why !== null) return { is: 'refused', ...why };
  if (isSoAnyway(name, value)) return { is: 'without effect', why: 'it is so in any case' };
  const without = WITHOUT_EFFECT.find((each) => each.key.test(name));
  return without === undefined ? null : { is: 'without effect', why: without.why };
}

function judgeOrigin(origin: string, lines: Lines): Judgement {
  if (lines.get('management.cors.allow_origins') === 'none') {
    return { is: 'without effect', why: 'management.cors.allow_origins = none takes all away' };
  }
  return { is: 'setting', key: `${ORIGINS}.${origin}`, value: 'true' };
}

function judgeSetting(key: string, value: string, lines: Lines): Judgement {
  const why = whyRefused(key, value);
  if (why !== null) return { is: 'refused', ...why };
  const without = VALUES_WITHOUT_EFFECT.find(
    (each) => each.key.test(key) && each.value?.test(value) === true,
  );
  if (without !== undefined) return { is: 'without effect', why: without.why };
  if (key === 'log.console' && value === 'false' && lines.get('log.file') !== 'false') {
    return { is: 'without effect', why: LOG_ALL_THE_SAME };
  }
  const word = WORDS.find((each) => each.key.test(key) && each.value.test(value));
  return { is: 'setting', key, value: word?.means ?? value };
}

const LOG_ALL_THE_SAME =
  'standard output is the only log there is; to turn logging off, also set log.file = false, or set log.level = none';

/** The key of the setting that a key of RabbitMQ stands for: itself, unless it has another name here. */
export function settingNamed(key: string, lines: Lines = new Map()): string {
  if (NUMBERED_ORIGIN.test(key)) return ORIGINS;
  const tls =
    lines.get('management.listener.ssl') === 'true' ? LISTENER_WITH_TLS.get(key) : undefined;
  return tls ?? SAME.get(key) ?? key;
}
