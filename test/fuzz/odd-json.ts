// Owns what is odd in HTTP: JSON values as texts, bodies, parts of paths, queries and headers. Never sends.
import type { Random } from '../amqp/random.ts';
import { bytesOf, jsonOf, ODD_TEXTS, oddValue } from './values.ts';

/** Values of JSON that few expect, each as it is written. */
const ODD_JSON: readonly string[] = [
  'null',
  'true',
  'false',
  '0',
  '-0',
  '1',
  '-1',
  '1.5',
  '1e30',
  '1e400',
  '2147483648',
  '9007199254740993',
  '9223372036854775807',
  '9223372036854775808',
  '123456789012345678901234567890',
  '""',
  '"x"',
  '"0"',
  '"\\ud800"',
  '"\\udfffx"',
  '"\\u0000"',
  '"\\r\\n"',
  '"("',
  '"(a+)+$"',
  '"(?<=a)b"',
  '"[a-"',
  '"((a{1,100}){1,100}){1,100}"',
  '[]',
  '[1]',
  '[null]',
  '[[]]',
  '["x","x"]',
  '[{}]',
  '{}',
  '{"toString":2}',
  '{"valueOf":2,"toString":null}',
  '{"length":3}',
  '{"type":"Buffer","data":[1]}',
  '{"__proto__":{"a":1}}',
  '{"constructor":{"prototype":{}}}',
  '{"x-match":"\\ud800"}',
  '{"":""}',
];

const DEPTHS = [5, 30, 300, 5000];

/** Long and deep ones, made when they are wanted. */
const LARGE_JSON: readonly (() => string)[] = [
  ...[254, 255, 256, 300, 3000].map((length) => () => JSON.stringify('q'.repeat(length))),
  () => JSON.stringify('é'.repeat(128)),
  ...DEPTHS.map((depth) => () => `${'['.repeat(depth)}1${']'.repeat(depth)}`),
  ...DEPTHS.map((depth) => () => `${'{"k":'.repeat(depth)}1${'}'.repeat(depth)}`),
  () => `[${'{},'.repeat(5000)}{}]`,
  () => `{"${'k'.repeat(300)}":1}`,
];

/** Texts with half of a pair of surrogates, alone and inside of others. */
const LONE_JSON = ['"\\ud800"', '"q\\udfff"', '["\\ud800"]', '{"\\ud800":1}', '{"x-q":"\\udc00"}'];

export function oddJson(random: Random): string {
  if (random.below(6) === 0) return random.pick(LONE_JSON);
  if (random.below(4) === 0) return random.pick(LARGE_JSON)();
  return random.below(4) === 0 ? jsonOf(oddValue(random)) : random.pick(ODD_JSON);
}

/** All of them, for what is tried with each. */
export const EVERY_ODD_JSON: readonly string[] = [...ODD_JSON, ...LARGE_JSON.map((make) => make())];

/** Whole bodies that are no object with fields; in latin1, one character a byte. */
export const ODD_BODIES: readonly (() => string)[] = [
  () => '',
  () => ' ',
  () => 'x',
  () => '{',
  () => '{}x',
  () => '[]',
  () => '[{}]',
  () => '1',
  () => '"x"',
  () => 'null',
  () => '{"a":1,"a":2}',
  () => '{"__proto__":1}',
  () => '{"name":"a","name":{"toString":2}}',
  () => '\xef\xbb\xbf{}',
  () => '{"a":"\xff\xfe"}',
  () => '\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03',
  () => '['.repeat(20_000),
  () => `[${'{},'.repeat(20_000)}{}]`,
  () => '--b\r\nContent-Disposition: form-data; name="file"\r\n\r\n{"queues":1}\r\n--b--\r\n',
  () => 'name=x&vhost=%2F',
];

const LONG_SEGMENTS = [254, 255, 256, 1000, 3000].map((length) => 'q'.repeat(length));

/** Parts of a path, as they are sent. */
export const ODD_SEGMENTS: readonly string[] = [
  '',
  '%00',
  '%ff',
  '%ed%a0%80',
  '%2F',
  '%252F',
  '%25%32%46',
  '.',
  '..',
  '%2e%2e',
  '%',
  '%zz',
  '*',
  '__proto__',
  'constructor',
  'amq.default',
  'amq.direct',
  'amq.x',
  '%0D%0A',
  '~',
  'q~x',
  '1e30',
  'NaN',
  '-1',
  '99999',
  ...LONG_SEGMENTS,
  '%C3%A9'.repeat(128),
];

export function oddSegment(random: Random): string {
  if (random.below(4) === 0) return random.pick(LONG_SEGMENTS);
  if (random.bool()) return random.pick(ODD_SEGMENTS);
  const bytes = bytesOf(random.pick(ODD_TEXTS)).subarray(0, 300);
  return [...bytes].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('');
}

const QUERY_VALUES = [
  '',
  '0',
  '1',
  '-1',
  '500',
  '501',
  '1e9',
  '99999999999999999999',
  'x',
  '%00',
  '%ff',
  '(',
  '(a%2B)%2B%24',
  '%ed%a0%80',
  'name',
  'message_stats.x',
  'toString',
  '__proto__',
  'a,b,,c',
  'true',
];
const QUERY_KEYS = [
  'page',
  'page_size',
  'name',
  'use_regex',
  'sort',
  'sort_reverse',
  'columns',
  'pagination',
  'lengths_age',
  'lengths_incr',
  'msg_rates_age',
  'disable_stats',
  'enable_queue_totals',
  'if-unused',
  'if-empty',
  'count',
  'cursor',
  'key',
  'header',
  'encoding',
  'truncate',
  'memory',
  'binary',
  'vhost',
  'auth',
  '__proto__',
  'page[]',
  'page.x',
];

export function oddQuery(random: Random): string {
  const pairs = Array.from({ length: 1 + random.below(4) }, () => {
    return `${random.pick(QUERY_KEYS)}=${random.pick(QUERY_VALUES)}`;
  });
  return `?${pairs.join('&')}`;
}

/** Headers that any request may come with. */
export const ODD_HEADERS: readonly Readonly<Record<string, string>>[] = [
  { authorization: '' },
  { authorization: 'Basic' },
  { authorization: 'Basic !!!' },
  { authorization: 'Bearer x' },
  { authorization: `Basic ${Buffer.from('nocolon').toString('base64')}` },
  { authorization: `Basic ${Buffer.from([0xff, 0x3a, 0xff]).toString('base64')}` },
  { authorization: `Basic ${Buffer.alloc(5000, 'a').toString('base64')}` },
  { host: '' },
  { host: 'evil.example' },
  { host: '[::1' },
  { origin: 'null' },
  { origin: 'http://evil.example' },
  { 'sec-fetch-site': 'cross-site' },
  { 'content-type': 'text/plain' },
  { 'content-type': '' },
  { 'content-type': 'application/json; charset=utf-16' },
  { 'content-type': 'multipart/form-data; boundary=b' },
  { 'content-type': 'multipart/form-data; boundary=' },
  { 'content-encoding': 'gzip' },
  { accept: 'text/html' },
  { range: 'bytes=5-1' },
  { 'if-none-match': '*' },
  { 'if-modified-since': 'never' },
  { 'x-http-method-override': 'DELETE' },
  { 'accept-encoding': 'gzip, br' },
  { expect: '200-maybe' },
];

const REQUEST_LINES = [
  'GET // HTTP/1.1',
  'GET //// HTTP/1.1',
  'GET //[ HTTP/1.1',
  'GET http:// HTTP/1.1',
  'GET http://[ HTTP/1.1',
  'GET ? HTTP/1.1',
  'GET /%ff HTTP/1.1',
  'GET /\xff HTTP/1.1',
  'GET /api/queues/%2F/%ff%00 HTTP/1.1',
  'GET /../../etc/passwd HTTP/1.1',
  'GET /%2e%2e/%2e%2e/package.json HTTP/1.1',
  'GET /js/..%2fapp.js HTTP/1.1',
  'GET \\ HTTP/1.1',
  'GET * HTTP/1.1',
  'OPTIONS * HTTP/1.1',
  'OPTIONS /api/queues HTTP/1.1',
  'CONNECT a:1 HTTP/1.1',
  'CONNECT / HTTP/1.1',
  'TRACE / HTTP/1.1',
  'PRI * HTTP/2.0',
  'GET /metrics?family=x&family=y HTTP/1.1',
  'GET /metrics/detailed?family=%ff&vhost=%00 HTTP/1.1',
  'GET /metrics/per-object HTTP/1.1',
  'POST /metrics HTTP/1.1',
  'GET / HTTP/9.9',
  'GET /',
  'AMQP\x00\x00\x09\x01',
  '\x16\x03\x01\x00\x05hello',
];
const HEADER_LINES = [
  'Host: x',
  'Host:',
  'Host: a\r\nHost: b',
  'Upgrade: websocket\r\nConnection: Upgrade',
  'Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: amqp',
  'Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 99\r\nSec-WebSocket-Key: x',
  'Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: x',
  'Content-Length: 5',
  'Content-Length: -1',
  'Content-Length: 99999999999999999999',
  'Content-Length: 1\r\nContent-Length: 2',
  'Content-Length: 3\r\nTransfer-Encoding: chunked',
  'Transfer-Encoding: chunked',
  'Transfer-Encoding: gzip, chunked',
  'Transfer-Encoding: x',
  'Expect: 100-continue\r\nContent-Length: 5',
  `X: ${'x'.repeat(20_000)}`,
  'no colon',
  ': empty',
  'Authorization: Basic Z3Vlc3Q6Z3Vlc3Q=',
];
const RAW_BODIES = [
  '',
  'hello',
  '0\r\n\r\n',
  'ffffffffffffffff\r\n',
  'zz\r\n',
  '\x88\x80\x00\x00\x00\x00',
  '\x82\xfe\xff\xff\x00\x00\x00\x00',
  '\xff\xff',
  `\x82\xff${'\x7f'.repeat(12)}`,
  '\x81\x05hello',
  '\x82\x88\x00\x00\x00\x00AMQP\x00\x00\x09\x01',
];

/** Bytes that begin like HTTP, in latin1. */
export function oddDialogue(random: Random): string {
  const lines = [random.pick(REQUEST_LINES)];
  for (let n = random.below(4); n > 0; n--) lines.push(random.pick(HEADER_LINES));
  const bodies = Array.from({ length: random.below(3) }, () => random.pick(RAW_BODIES));
  return `${lines.join('\r\n')}\r\n${random.below(6) > 0 ? '\r\n' : ''}${bodies.join('')}`;
}

/** A dialogue that asks for a WebSocket as it should be, with frames that are none. */
export function oddWebSocket(random: Random): string {
  const head = `GET ${random.pick(['/ws', '/ws/amqp', '/ws/', '//ws', '/x'])} HTTP/1.1\r\nHost: 127.0.0.1`;
  const frames = Array.from({ length: 1 + random.below(3) }, () => random.pick(RAW_BODIES));
  return `${head}\r\n${HEADER_LINES[4]}\r\n\r\n${frames.join('')}`;
}
