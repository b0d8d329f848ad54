// Owns the tests of what became of RabbitMQ's plugins.

import { expect, test } from 'vitest';
import { PLUGIN_VERBS } from '../../../src/cli/ctl/plugins.ts';
import { PLUGINS, pluginsNotHere } from '../../../src/config/rabbitmq/plugins.ts';

/** Whether rabbitmq-plugins takes `verb` for a plugin. */
function taken(verb: string, name: string): boolean {
  const { run } = PLUGIN_VERBS.find((each) => each.name === verb) as (typeof PLUGIN_VERBS)[number];
  try {
    run({ words: [name], options: {} } as unknown as Parameters<typeof run>[0]);
    return true;
  } catch {
    return false;
  }
}

test('a file of enabled plugins warns of the same plugins that rabbitmq-plugins refuses to enable', () => {
  const names = [...PLUGINS.keys()];
  expect(names).toEqual([...names].sort());
  const refused = names.filter((name) => !taken('enable', name));
  expect(pluginsNotHere(`[${names.join(',')}].`)).toEqual(refused);
  expect(refused).toContain('rabbitmq_shovel');
  expect(refused).not.toContain('rabbitmq_peer_discovery_k8s');
  for (const [name, { is }] of PLUGINS) {
    expect([name, taken('is_enabled', name)]).toEqual([name, is === 'built in']);
    expect([name, taken('disable', name)]).toEqual([name, is !== 'built in']);
  }
});

test('plugins of others are not here either; comments of the file name none', () => {
  const text =
    "%% [rabbitmq_mqtt].\n['rabbitmq_delayed_message_exchange',\n my_plugin, rabbitmq_top].\n";
  expect(pluginsNotHere(text)).toEqual(['rabbitmq_delayed_message_exchange', 'my_plugin']);
});
