import { describe, expect, test } from 'vitest';
import {
  type ProxiedPeer,
  readProxyLine,
  writeProxyLine,
} from '../../../src/util/proxy/proxy-line.ts';

const PLAIN: ProxiedPeer = {
  peerHost: '10.1.2.3',
  peerPort: 40_000,
  host: '192.168.0.7',
  port: 5672,
  tls: null,
};

const TLS = {
  protocol: 'TLSv1.3',
  cipher: 'TLS_AES_256_GCM_SHA384',
  certificate: Buffer.from('a certificate'),
  refusal: null,
};

function written(peer: ProxiedPeer): Buffer {
  const line = writeProxyLine(peer);
  if (line === null) throw new Error('there is no line');
  return line;
}

describe('the line of a proxy', () => {
  test('is that of the PROXY protocol, version 2', () => {
    expect(written(PLAIN).toString('hex')).toBe(
      '0d0a0d0a000d0a515549540a' + '21110' + '00c' + '0a010203' + 'c0a80007' + '9c40' + '1628',
    );
  });

  test.each<[string, Partial<ProxiedPeer>]>([
    ['without TLS', {}],
    ['of IPv6', { peerHost: '2001:db8::1', host: '::1' }],
    ['of IPv4 behind a port of IPv6', { peerHost: '::ffff:10.1.2.3', host: '::ffff:127.0.0.1' }],
    ['with TLS', { tls: { ...TLS, certificate: null } }],
    ['with a certificate', { tls: TLS }],
    ['that is refused', { tls: { ...TLS, certificate: null, refusal: 'it has expired' } }],
  ])('tells of a client %s', (_what, changed) => {
    const peer = { ...PLAIN, ...changed };
    const line = written(peer);
    const read = readProxyLine(Buffer.concat([line, Buffer.from('AMQP')]));
    expect(read).toEqual({ is: 'line', bytes: line.length, peer });
    for (let end = 0; end < line.length; end += 1) {
      expect(readProxyLine(line.subarray(0, end))).toEqual({ is: 'unfinished' });
    }
  });

  test('of both families is one of IPv6', () => {
    const line = written({ ...PLAIN, host: '::1' });
    expect(readProxyLine(line)).toMatchObject({
      peer: { peerHost: '::ffff:10.1.2.3', host: '::1' },
    });
  });

  test('is not there for a socket that is gone', () => {
    expect(writeProxyLine({ ...PLAIN, peerHost: '' })).toBeNull();
    expect(writeProxyLine({ ...PLAIN, host: '' })).toBeNull();
  });

  test('with a certificate that is too long says that it is refused', () => {
    const line = written({ ...PLAIN, tls: { ...TLS, certificate: Buffer.alloc(70_000) } });
    const read = readProxyLine(line);
    expect(read).toMatchObject({ peer: { tls: { certificate: null } } });
    expect(read.is === 'line' && read.peer.tls?.refusal).toMatch(/too long/);
  });

  test('does not let a certificate through that was not verified', () => {
    const line = written({ ...PLAIN, tls: { ...TLS, refusal: 'not trusted' } });
    expect(readProxyLine(line)).toMatchObject({
      peer: { tls: { certificate: null, refusal: 'not trusted' } },
    });
  });

  test('is not what anything else says', () => {
    const line = written(PLAIN);
    const spoiled = (at: number, octet: number): Buffer => {
      const other = Buffer.from(line);
      other[at] = octet;
      return other;
    };
    for (const bytes of [
      Buffer.from('AMQP\0\0\x09\x01'),
      Buffer.from('PROXY TCP4 10.1.2.3 10.1.2.4 1 2\r\n'),
      spoiled(5, 1),
      spoiled(12, 0x20), // LOCAL: of no client
      spoiled(12, 0x11),
      spoiled(13, 0x00),
      spoiled(13, 0x31),
      spoiled(13, 0x21), // IPv6, and too short for it
      spoiled(15, 11),
    ]) {
      expect(readProxyLine(bytes)).toEqual({ is: 'wrong' });
    }
  });

  test('of any octets does not throw, and is never unfinished beyond its longest', () => {
    let state = 7;
    const random = (): number => {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      return state >>> 16;
    };
    const line = written({ ...PLAIN, tls: TLS });
    for (let round = 0; round < 20_000; round += 1) {
      const bytes = Buffer.from(line);
      for (let n = 0; n < 3; n += 1) bytes[12 + (random() % (line.length - 12))] = random();
      readProxyLine(bytes);
    }
    const long = Buffer.concat([line.subarray(0, 14), Buffer.alloc(70_000, 0xff)]);
    expect(readProxyLine(long).is).not.toBe('unfinished');
  });
});
