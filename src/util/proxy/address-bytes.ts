// Owns addresses of IPv4 and IPv6 as octets and as text. Never looks a name up.

const MAPPED = Buffer.from('00000000000000000000ffff', 'hex');

/** The 4 or 16 octets of an address, as a socket gives it; null: it is none. */
export function addressBytes(text: string): Buffer | null {
  if (!text.includes(':')) return fourBytes(text);
  // What stands behind it names an interface of this machine alone.
  const [address = ''] = text.split('%', 1);
  const four = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(address);
  const last = four === null ? null : fourBytes(four[2] ?? '');
  if (four !== null && last === null) return null;
  const groupsText = last === null ? address : `${four?.[1]}${hex(last, 0)}:${hex(last, 2)}`;
  const halves = groupsText.split('::');
  if (halves.length > 2) return null;
  const [head = [], tail = []] = halves.map((half) => (half === '' ? [] : half.split(':')));
  const zeros = 8 - head.length - tail.length;
  if (halves.length === 1 ? zeros !== 0 : zeros < 1) return null;
  const groups = [...head, ...Array.from({ length: zeros }, () => '0'), ...tail];
  if (!groups.every((group) => /^[0-9a-f]{1,4}$/i.test(group))) return null;
  return Buffer.from(groups.map((group) => group.padStart(4, '0')).join(''), 'hex');
}

/** The text of 4 or 16 octets, as a socket would give it. */
export function addressText(bytes: Buffer): string {
  if (bytes.length === 4) return bytes.join('.');
  if (bytes.subarray(0, 12).equals(MAPPED)) return `::ffff:${bytes.subarray(12).join('.')}`;
  const groups = Array.from({ length: 8 }, (_, at) => bytes.readUInt16BE(2 * at).toString(16));
  // A URL writes the longest run of zeros as `::`.
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1);
}

function fourBytes(text: string): Buffer | null {
  const parts = text.split('.');
  if (parts.length !== 4) return null;
  if (!parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) <= 255)) return null;
  return Buffer.from(parts.map(Number));
}

const hex = (bytes: Buffer, at: number): string => bytes.readUInt16BE(at).toString(16);
