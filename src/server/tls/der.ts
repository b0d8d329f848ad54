// Owns reading the DER encoding (X.690) of a certificate, value by value. Never knows what a value
// means: names.ts does.

/** One value: its tag, and where its content stands. */
export interface DerValue {
  readonly tag: number;
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
}

/** The value at an offset, or null where there is none that ends before `limit`. */
export function derValueAt(bytes: Buffer, at: number, limit: number): DerValue | null {
  if (at + 2 > limit) return null;
  const tag = bytes.readUInt8(at);
  // No tag of a certificate is so large that it takes more than one octet.
  if ((tag & 0x1f) === 0x1f) return null;
  let length = bytes.readUInt8(at + 1);
  let start = at + 2;
  if (length >= 0x80) {
    const octets = length & 0x7f;
    if (octets === 0 || octets > 4 || start + octets > limit) return null;
    length = bytes.readUIntBE(start, octets);
    start += octets;
  }
  return start + length <= limit ? { tag, bytes, start, end: start + length } : null;
}

/** The values that a constructed value is made of, as many as can be read. */
export function derChildren(value: DerValue): DerValue[] {
  const children: DerValue[] = [];
  let child = derValueAt(value.bytes, value.start, value.end);
  while (child !== null) {
    children.push(child);
    child = derValueAt(value.bytes, child.end, value.end);
  }
  return children;
}

/** The content of a value. */
export function derContent(value: DerValue): Buffer {
  return value.bytes.subarray(value.start, value.end);
}

/** An object identifier in dotted form. */
export function derObjectId(value: DerValue): string {
  const arcs: number[] = [];
  let arc = 0;
  for (const octet of derContent(value)) {
    arc = arc * 128 + (octet & 0x7f);
    if (octet >= 0x80) continue;
    if (arcs.length > 0) arcs.push(arc);
    else arcs.push(Math.min(2, Math.floor(arc / 40)), arc - 40 * Math.min(2, Math.floor(arc / 40)));
    arc = 0;
  }
  return arcs.join('.');
}
