// Numbers in JSON keep their digits through the HTTP API, in both directions, whatever takes them in:
// integers of 64 bits, and floats that are whole. What passes here passes on RabbitMQ 3.10 too.

import { type ChannelModel, connect } from 'amqplib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Api, isOracle, startApi, until } from './support.ts';

let api: Api;
let connection: ChannelModel;
const VHOST = 'digits';

beforeAll(async () => {
  api = await startApi();
  await api.call('PUT', `/vhosts/${VHOST}`, '{}');
  const all = '{"configure":".*","write":".*","read":".*"}';
  await api.call('PUT', `/permissions/${VHOST}/guest`, all);
  await api.call('PUT', `/queues/${VHOST}/q`, '{"durable":true}');
  connection = await connect(`${api.amqpUrl}/${VHOST}`);
});
afterAll(async () => {
  await connection.close();
  await api.call('DELETE', `/vhosts/${VHOST}`);
  await api.call('DELETE', '/global-parameters/digits');
  await api.close();
});

const NUMBERS = [
  '1541815603606036480',
  '9007199254740993',
  '-9007199254740993',
  '9223372036854775807',
  '-9223372036854775808',
  '1.0',
  '-0.0',
  '1.5',
  '7',
];

const got = async (): Promise<string> => {
  const get = '{"ackmode":"ack_requeue_false","encoding":"auto","count":1}';
  return (await api.call('POST', `/queues/${VHOST}/q/get`, get)).text;
};
const publish = (properties: string) =>
  api.call(
    'POST',
    `/exchanges/${VHOST}/amq.default/publish`,
    `{"properties":${properties},"routing_key":"q","payload":"x","payload_encoding":"string"}`,
  );

test.each(NUMBERS)('a header of %s comes back digit by digit', async (digits) => {
  const headers = `{"n":${digits},"list":[${digits}],"inside":{"n":${digits}}}`;
  expect((await publish(`{"headers":${headers}}`)).json).toEqual({ routed: true });
  const text = await got();
  for (const part of [`"n":${digits}`, `[${digits}]`, `{"n":${digits}}`]) {
    expect(text).toContain(part);
  }
});

test('a header of 64 bits that a client publishes is shown digit by digit', async () => {
  const channel = await connection.createConfirmChannel();
  const headers = { n: { '!': 'int64', value: 1541815603606036480n } };
  channel.publish('', 'q', Buffer.from('x'), { headers, timestamp: 5 });
  await channel.waitForConfirms();
  expect(await got()).toContain('"n":1541815603606036480');
});

test.each(['1541815603606036480', '18446744073709551615', '0'])(
  'a timestamp of %s is a number that keeps its digits',
  async (digits) => {
    expect((await publish(`{"timestamp":${digits}}`)).json).toEqual({ routed: true });
    expect(await got()).toContain(`"timestamp":${digits}`);
  },
);

test.each(['1.0', '1e3', '1.5', '-1', 'true', '{}'])(
  'a timestamp of %s is refused',
  async (odd) => {
    expect((await publish(`{"timestamp":${odd}}`)).status).toBe(
      isOracle && odd === '-1' ? 200 : 400,
    );
  },
);

test('arguments of queues and bindings keep their digits in lists and definitions', async () => {
  const texts = NUMBERS.map((digits, n) => `"x-n${n}":${digits}`);
  const args = `{${texts.join(',')},"x-max-length":9223372036854775807}`;
  const queue = await api.call('PUT', `/queues/${VHOST}/a`, `{"arguments":${args}}`);
  expect(queue.status).toBe(201);
  const bound = await api.call(
    'POST',
    `/bindings/${VHOST}/e/amq.direct/q/a`,
    `{"routing_key":"k","arguments":{${texts.join(',')}}}`,
  );
  expect(bound.status).toBe(201);
  const lists = [`/queues/${VHOST}`, `/queues/${VHOST}/a`, `/queues/${VHOST}?page=1&name=a`];
  const bindings = [`/bindings/${VHOST}`, `/queues/${VHOST}/a/bindings`];
  for (const path of [...lists, ...bindings, '/definitions', `/definitions/${VHOST}`]) {
    const { text } = await api.call('GET', path);
    for (const part of texts) expect([path, text]).toEqual([path, expect.stringContaining(part)]);
  }
  const definitions = (await api.call('GET', `/definitions/${VHOST}`)).text;
  expect(definitions).toContain('"x-max-length":9223372036854775807');
  await api.call('DELETE', `/queues/${VHOST}/a`);
  expect((await api.call('POST', `/definitions/${VHOST}`, definitions)).status).toBe(204);
  expect((await api.call('GET', `/definitions/${VHOST}`)).json).toEqual(JSON.parse(definitions));
  // The very same arguments: a declaration that has them is no other queue.
  const again = await api.call('PUT', `/queues/${VHOST}/a`, `{"arguments":${args}}`);
  expect(again.status).toBe(204);
});

test.each(NUMBERS)('a parameter and a global parameter keep %s', async (digits) => {
  await api.call('PUT', '/global-parameters/digits', `{"value":{"n":[${digits}]}}`);
  expect((await api.call('GET', '/global-parameters/digits')).text).toContain(`[${digits}]`);
  expect((await api.call('GET', '/global-parameters')).text).toContain(`[${digits}]`);
  expect((await api.call('GET', '/definitions')).text).toContain(`[${digits}]`);
});

test('a limit of a policy keeps its digits, and of two the smaller holds', async () => {
  const put = (path: string, value: string) =>
    api.call(
      'PUT',
      `/${path}/${VHOST}/p`,
      `{"pattern":"^p$","definition":{"max-length":${value}}}`,
    );
  expect((await put('policies', '9223372036854775807')).status).toBe(201);
  expect((await put('operator-policies', '9223372036854775806')).status).toBe(201);
  await api.call('PUT', `/queues/${VHOST}/p`, '{}');
  expect((await api.call('GET', `/policies/${VHOST}/p`)).text).toContain(':9223372036854775807');
  const merged = '"effective_policy_definition":{"max-length":9223372036854775806}';
  await until(async () => (await api.call('GET', `/queues/${VHOST}/p`)).text.includes(merged));
});

test.each(['1e30', '1.0', '1e3', '-0.0', '1.5', '9223372036854775807.0'])(
  'where an integer is wanted %s is none',
  async (float) => {
    const policy = `{"pattern":"","definition":{"max-length":${float}}}`;
    const set = await api.call('PUT', `/policies/${VHOST}/odd`, policy);
    expect([set.status, set.text]).toEqual([400, expect.stringMatching(/is not a valid maximum/)]);
    const queue = `{"arguments":{"x-max-length":${float}}}`;
    const declared = await api.call('PUT', `/queues/${VHOST}/odd`, queue);
    const reason = /expected integer, got double/;
    expect([declared.status, declared.text]).toEqual([400, expect.stringMatching(reason)]);
    const file = `{"policies":[{"vhost":"${VHOST}","name":"odd","pattern":"","apply-to":"all","priority":0,"definition":{"max-length":${float}}}]}`;
    expect((await api.call('POST', '/definitions', file)).status).toBe(400);
    expect((await api.call('GET', `/policies/${VHOST}/odd`)).status).toBe(404);
    expect((await api.call('GET', `/queues/${VHOST}/odd`)).status).toBe(404);
  },
);

test.skipIf(isOracle)('an integer of more than 64 bits is refused wherever it stands', async () => {
  const vast = '99999999999999999999999';
  const before = (await api.call('GET', '/definitions')).text;
  for (const [method, path, body] of [
    ['PUT', `/queues/${VHOST}/odd`, `{"arguments":{"x":${vast}}}`],
    ['PUT', `/policies/${VHOST}/odd`, `{"pattern":"","definition":{"max-length":${vast}}}`],
    ['PUT', '/global-parameters/odd', `{"value":${vast}}`],
    ['PUT', `/parameters/shovel/${VHOST}/odd`, `{"value":{"x":[${vast}]}}`],
    ['POST', '/definitions', `{"queues":[],"x":${vast}}`],
    ['POST', `/bindings/${VHOST}/e/amq.direct/q/q`, `{"arguments":{"x":${vast}}}`],
    ['POST', `/exchanges/${VHOST}/amq.direct/publish`, `{"properties":{"headers":{"x":${vast}}}}`],
  ] as const) {
    const { status, json } = await api.call(method, path, body);
    const reason = expect.stringContaining(`an integer of more than 64 bits: ${vast}`);
    expect([path, status, json]).toEqual([path, 400, { error: 'bad_request', reason }]);
  }
  // An argument has a sign; a timestamp does not.
  const args = '{"arguments":{"x":9223372036854775808}}';
  const { status, text } = await api.call('PUT', `/queues/${VHOST}/odd`, args);
  expect([status, text]).toEqual([400, expect.stringContaining('9223372036854775808 is greater')]);
  expect((await api.call('GET', '/definitions')).text).toBe(before);
});
