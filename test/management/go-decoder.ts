// Owns decoding of JSON into declared kinds as strictly as encoding/json of Go does, which the tools that watch
// brokers are written in. Never knows an answer of the API.

/**
 * What a field of a Go struct takes. `port` and `flag` have decoders of their own in the clients, which take no null;
 * `tags` is a list, or words with commas.
 */
export type GoKind =
  | 'int'
  | 'int64'
  | 'uint'
  | 'uint32'
  | 'float'
  | 'bool'
  | 'string'
  | 'any'
  | 'port'
  | 'flag'
  | 'tags'
  | { readonly list: GoKind }
  | { readonly map: GoKind }
  | { readonly fields: GoFields }
  | { readonly required: GoKind };

/** The fields of a struct, by their names in JSON. */
export type GoFields = Readonly<Record<string, GoKind>>;

/** A number as it is written: Go tells 1 from 1.0, JSON.parse does not. */
class Digits {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

const RANGES: Readonly<Record<string, readonly [min: bigint, max: bigint]>> = {
  int: [-(2n ** 63n), 2n ** 63n - 1n],
  int64: [-(2n ** 63n), 2n ** 63n - 1n],
  uint: [0n, 2n ** 64n - 1n],
  uint32: [0n, 2n ** 32n - 1n],
};

/** Where a decoder would fail, and what it decoded there: a value that is not null, by its path without indices. */
export interface Decoded {
  readonly faults: string[];
  readonly met: Set<string>;
}

/** Decodes a text of JSON as a kind; what is absent is allowed. Throws where it is no JSON. */
export function decodeAsGo(text: string, kind: GoKind): Decoded {
  const decoded: Decoded = { faults: [], met: new Set() };
  decode(parseKeepingDigits(text), kind, '', decoded);
  return decoded;
}

function parseKeepingDigits(text: string): unknown {
  const tagged = text.replace(/"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g, (token) =>
    token.startsWith('"') ? token : `{"#":"${token}"}`,
  );
  return JSON.parse(tagged, (_key, value: unknown) => {
    const isTagged = isObject(value) && Object.keys(value).length === 1;
    return isTagged && typeof value['#'] === 'string' ? new Digits(value['#']) : value;
  });
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !isDigits(value);

const isDigits = (value: unknown): value is Digits => value instanceof Digits;

function decode(value: unknown, kind: GoKind, path: string, into: Decoded): void {
  const fail = (): void => {
    into.faults.push(`${path || '.'}: ${shown(value)} is no ${nameOf(kind)}`);
  };
  if (value === null) {
    // Null keeps the zero value, but for kinds with decoders of their own, and what the program insists on.
    if (kind === 'port' || kind === 'flag' || isRequired(kind)) fail();
    return;
  }
  if (path !== '') into.met.add(path);
  if (typeof kind === 'string') {
    if (!isPlain(value, kind)) fail();
  } else if ('required' in kind) {
    decode(value, kind.required, path, into);
  } else if ('list' in kind) {
    if (!Array.isArray(value)) return fail();
    for (const item of value) decode(item, kind.list, `${path}[]`, into);
  } else if (!isObject(value)) {
    fail();
  } else if ('map' in kind) {
    for (const item of Object.values(value)) decode(item, kind.map, `${path}{}`, into);
  } else {
    decodeFields(value, kind.fields, path, into);
  }
}

function decodeFields(
  value: Record<string, unknown>,
  fields: GoFields,
  path: string,
  into: Decoded,
): void {
  const given = new Set<string>();
  for (const [key, member] of Object.entries(value)) {
    // Go takes a name in any case.
    const name = Object.hasOwn(fields, key) ? key : key.toLowerCase();
    const kind = Object.hasOwn(fields, name) ? fields[name] : undefined;
    if (kind === undefined) continue;
    given.add(name);
    decode(member, kind, path === '' ? name : `${path}.${name}`, into);
  }
  for (const [name, kind] of Object.entries(fields)) {
    if (isRequired(kind) && !given.has(name)) into.faults.push(`${path}.${name} is not there`);
  }
}

function isPlain(value: unknown, kind: GoKind & string): boolean {
  switch (kind) {
    case 'any':
      return true;
    case 'bool':
      return typeof value === 'boolean';
    case 'string':
      return typeof value === 'string';
    case 'float':
      return isDigits(value) && Number.isFinite(Number(value.text));
    case 'flag':
      return typeof value === 'boolean' || value === 'undefined';
    case 'port':
      return /^\d+$/.test(isDigits(value) ? value.text : String(value));
    case 'tags':
      return (
        typeof value === 'string' ||
        (Array.isArray(value) && value.every((each) => typeof each === 'string'))
      );
    default: {
      if (!isDigits(value) || !/^-?\d+$/.test(value.text)) return false;
      const [min, max] = RANGES[kind] as readonly [bigint, bigint];
      return BigInt(value.text) >= min && BigInt(value.text) <= max;
    }
  }
}

const isRequired = (kind: GoKind): boolean => typeof kind === 'object' && 'required' in kind;

function nameOf(kind: GoKind): string {
  if (typeof kind === 'string') return kind;
  if ('required' in kind) return nameOf(kind.required);
  return 'list' in kind ? 'list' : 'object';
}

function shown(value: unknown): string {
  return isDigits(value) ? value.text : JSON.stringify(value).slice(0, 80);
}
