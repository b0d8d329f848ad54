import { expect, test } from 'vitest';
import { looksClassic, readClassic, whyNeedless } from '../../../src/config/rabbitmq/classic.ts';

const EXAMPLE = `%% -*- mode: erlang -*-
[
 {rabbit,
  [{tcp_listeners, [5672, {"127.0.0.1", 5673}]},
   {ssl_listeners, [5671]},
   {ssl_options, [{cacertfile, "/ca.pem"}, {versions, ['tlsv1.2', 'tlsv1.3']}, {verify, verify_peer}]},
   {loopback_users, []},
   {default_user, <<"admin">>},
   {default_pass, <<"p#ss">>},
   {default_permissions, [<<".*">>, <<"w">>, <<"r">>]},
   {default_user_tags, [administrator]},
   {vm_memory_high_watermark, 0.6},
   {disk_free_limit, {mem_relative, 1.5}},
   {heartbeat, 60},
   {auth_backends, [rabbit_auth_backend_internal]},
   {cluster_nodes, {['rabbit@a', 'rabbit@b'], disc}},
   {log_levels, [{connection, info}]},
   {hipe_compile, false}
  ]},
 {kernel, [{net_ticktime, 60}]},
 {rabbitmq_management,
  [{listener, [{port, 15671}, {ssl, true}, {ssl_opts, [{certfile, "/c.pem"}]}]},
   {load_definitions, "/etc/definitions.json"}]},
 {rabbitmq_mqtt, [{tcp_listeners, [1883]}, {vhost, <<"/">>}]},
 {lager, [{handlers, []}]},
 {rabbitmq_shovel, [{shovels, [{my, [{sources, [{broker, "amqp://"}]}]}]}]}
].
`;

test('an old file is written as lines of the new format', () => {
  const { lines, untold } = readClassic(EXAMPLE);
  expect(lines.map(([key, value]) => `${key} = ${value}`)).toEqual([
    'listeners.tcp.default = 5672',
    'listeners.tcp.2 = 127.0.0.1:5673',
    'listeners.ssl.default = 5671',
    'ssl_options.cacertfile = /ca.pem',
    'ssl_options.versions.1 = tlsv1.2',
    'ssl_options.versions.2 = tlsv1.3',
    'ssl_options.verify = verify_peer',
    'loopback_users = none',
    'default_user = admin',
    "default_pass = 'p#ss'",
    'default_permissions.configure = .*',
    'default_permissions.write = w',
    'default_permissions.read = r',
    'default_user_tags.administrator = true',
    'vm_memory_high_watermark.relative = 0.6',
    'disk_free_limit.relative = 1.5',
    'heartbeat = 60',
    'auth_backends.1 = rabbit_auth_backend_internal',
    'cluster_formation.classic_config.nodes.1 = rabbit@a',
    'cluster_formation.classic_config.nodes.2 = rabbit@b',
    'log.connection.level = info',
    'hipe_compile = false',
    'net_ticktime = 60',
    'management.listener.port = 15671',
    'management.listener.ssl = true',
    'management.listener.ssl_opts.certfile = /c.pem',
    'management.load_definitions = /etc/definitions.json',
    'mqtt.listeners.tcp.default = 1883',
    'mqtt.vhost = /',
  ]);
  expect(untold).toEqual([
    ['lager.handlers', 25],
    ['rabbitmq_shovel.shovels', 26],
  ]);
  expect(lines.find(([key]) => key === 'ssl_options.versions.2')?.[2]).toBe(6);
});

test('limits are a part of memory or bytes, as the terms say', () => {
  const lines = (setting: string) => readClassic(`[{rabbit, [${setting}]}].`).lines;
  expect(lines('{vm_memory_high_watermark, {absolute, "2GB"}}')).toEqual([
    ['vm_memory_high_watermark.absolute', '2GB', 1],
  ]);
  expect(lines('{disk_free_limit, "50MB"}')).toEqual([['disk_free_limit.absolute', '50MB', 1]]);
  expect(lines('{disk_free_limit, 50000000}')).toEqual([
    ['disk_free_limit.absolute', '50000000', 1],
  ]);
  expect(lines('{tcp_listeners, []}')).toEqual([['listeners.tcp', 'none', 1]]);
});

test('an empty file says nothing, and what is no list of pairs is a fault', () => {
  for (const text of ['', '%% only a comment', '[].', '[\n].\n']) {
    expect(readClassic(text)).toEqual({ lines: [], untold: [] });
  }
  expect(() => readClassic('{rabbit, []}.')).toThrow('a list of {name, value}');
  expect(() => readClassic('[rabbit].')).toThrow('a list of {name, value}');
  expect(looksClassic('  [{rabbit')).toBe(true);
  expect(looksClassic('heartbeat = 60')).toBe(false);
});

test('the origins of pages and how long browsers keep them have the lines of the new format', () => {
  const text =
    '[{rabbitmq_management, [{cors_allow_origins, ["https://a", "*"]}, {cors_max_age, 60}]}].';
  expect(readClassic(text)).toEqual({
    lines: [
      ['management.cors.allow_origins.1', 'https://a', 1],
      ['management.cors.allow_origins.2', '*', 1],
      ['management.cors.max_age', '60', 1],
    ],
    untold: [],
  });
});

test('a part that has no line takes no other part with it', () => {
  const text = `[{rabbit, [
    {tcp_listen_options, [{backlog, 128}, {linger, {true, 0}}]},
    {ssl_options, [{cacertfile, "/ca.pem"}, {ciphers, [{ecdhe_ecdsa, aes_128_cbc, sha256}]}, {verify, verify_none}]}
  ]}].`;
  const { lines, untold } = readClassic(text);
  expect(lines.map(([key, value]) => `${key} = ${value}`)).toEqual([
    'tcp_listen_options.backlog = 128',
    'tcp_listen_options.linger.on = true',
    'tcp_listen_options.linger.timeout = 0',
    'ssl_options.cacertfile = /ca.pem',
    'ssl_options.verify = verify_none',
  ]);
  expect(untold).toEqual([['ssl_options.ciphers', 3]]);
});

test('the sinks of the log have the keys of the new format', () => {
  const text =
    '[{rabbit, [{log, [{console, [{enabled, true}, {level, debug}]}, {file, [{file, false}]}, {categories, [{connection, [{level, none}]}]}]}]}].';
  expect(readClassic(text).lines.map(([key, value]) => `${key} = ${value}`)).toEqual([
    'log.console = true',
    'log.console.level = debug',
    'log.file = false',
    'log.connection.level = none',
  ]);
});

test('what has no line and changes nothing needs none; all else may hang on it', () => {
  for (const name of [
    'sasl.sasl_error_logger',
    'mnesia.x',
    'ra.wal_max_size_bytes',
    'rabbit.backing_queue_module',
  ]) {
    expect([name, whyNeedless(name)]).toEqual([name, expect.any(String)]);
  }
  for (const name of [
    'ssl.protocol_version',
    'rabbit.auth_backends',
    'rabbit.default_consumer_prefetch',
    'my.sasl.x',
  ]) {
    expect([name, whyNeedless(name)]).toEqual([name, null]);
  }
});

test('an empty list of a plugin that is not here asks for nothing', () => {
  const text =
    '[{rabbitmq_shovel, [{shovels, []}]}, {rabbitmq_federation, []}, {rabbitmq_x, [{y, [1]}]}].';
  expect(readClassic(text)).toEqual({ lines: [], untold: [['rabbitmq_x.y', 1]] });
});
