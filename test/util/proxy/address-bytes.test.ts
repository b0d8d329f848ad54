import { expect, test } from 'vitest';
import { addressBytes, addressText } from '../../../src/util/proxy/address-bytes.ts';

test.each([
  ['127.0.0.1', '7f000001'],
  ['255.0.10.3', 'ff000a03'],
  ['::1', '00000000000000000000000000000001'],
  ['::', '00000000000000000000000000000000'],
  ['::ffff:10.1.2.3', '00000000000000000000ffff0a010203'],
  ['2001:db8::8:800:200c:417a', '20010db80000000000080800200c417a'],
  ['fe80::1:2', 'fe800000000000000000000000010002'],
  ['1:2:3:4:5:6:7:8', '00010002000300040005000600070008'],
])('the address %s is the same as octets', (text, octets) => {
  expect(addressBytes(text)?.toString('hex')).toBe(octets);
  expect(addressText(Buffer.from(octets, 'hex'))).toBe(text);
});

test('an interface is left out, and other ways to write an address are read', () => {
  expect(addressBytes('fe80::1%eth0')).toEqual(addressBytes('fe80::1'));
  expect(addressBytes('2001:DB8::1')).toEqual(addressBytes('2001:db8::1'));
  expect(addressBytes('::10.1.2.3')?.toString('hex')).toBe('0000000000000000000000000a010203');
});

test.each([
  '',
  'localhost',
  '1.2.3',
  '1.2.3.4.5',
  '1.2.3.256',
  '1.2.3.x',
  ':',
  ':::',
  '1::2::3',
  '1:2:3:4:5:6:7',
  '1:2:3:4:5:6:7:8:9',
  '1:2:3:4::5:6:7:8',
  '12345::',
  'x::1',
  '::1.2.3.400',
])('%j is no address', (text) => {
  expect(addressBytes(text)).toBeNull();
});
