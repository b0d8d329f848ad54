// Owns the settings while layers are laid over one another: the values so far, where each came from, and what became
// of every text that was met. Never reads a file or a variable.

import { ConfigError } from '../config-error.ts';
import { type Origin, placeOf } from '../origin.ts';
import { judge, type Lines, OTHER_NAMES, settingNamed } from '../rabbitmq/keys.ts';
import { MalformedValue, type Setting, type Spelling } from '../setting.ts';
import { SETTINGS, type Settings } from '../settings.ts';
import { suggest } from '../suggest.ts';

/** What became of a text. */
export type Meaning =
  | { readonly is: 'setting'; readonly field: keyof Settings }
  | { readonly is: 'without effect'; readonly why: string }
  | { readonly is: 'refused'; readonly fault: ConfigError }
  /** The same key stands further down, where it counts. */
  | { readonly is: 'overridden'; readonly by: Origin };

/** A text that was met in some layer. */
export interface Told {
  readonly origin: Origin;
  /** The key, the variable or the flag, as it is written there. */
  readonly name: string;
  readonly text: string;
  readonly meaning: Meaning;
}

type Row = readonly [keyof Settings, Setting<unknown>];

/** The rows of the settings table with their fields. */
export const ROWS: readonly Row[] = Object.entries(SETTINGS) as unknown as Row[];
const KEYS = [...ROWS.map(([, row]) => row.key), ...OTHER_NAMES];
const SEE_ALL = `see 'leveret start --help' for all keys`;

/** Settings that are being put together. */
export class Draft {
  /** In the order in which they were met. */
  readonly told: Told[] = [];
  private readonly values: Map<string, unknown>;
  private readonly from = new Map<keyof Settings, readonly Origin[]>();

  /** `over` is what the texts are laid over; left out: the defaults. */
  constructor(over?: Settings) {
    this.values = new Map(
      ROWS.map(([field, row]) => [field, over === undefined ? row.initial : over[field]]),
    );
  }

  /** What the texts so far come to. */
  get settings(): Settings {
    // The table gives every field its reader, so the values have the types that Settings derives from it.
    return Object.fromEntries(this.values) as unknown as Settings;
  }

  /** What set each field, the last one last; a field that is not there has its default. */
  get origins(): ReadonlyMap<keyof Settings, readonly Origin[]> {
    return this.from;
  }

  /** All that is wrong, in the order in which it was met. */
  get faults(): readonly ConfigError[] {
    return this.told.flatMap(({ meaning }) => (meaning.is === 'refused' ? [meaning.fault] : []));
  }

  /** Takes the value of a key of config files, RabbitMQ's names included; `lines` are those that stand beside it. */
  key(origin: Origin, name: string, text: string, lines?: Lines): void {
    const judged = judge(name, text, isSetting, lines);
    if (judged?.is === 'without effect') {
      this.told.push({ origin, name, text, meaning: judged });
      return;
    }
    const place = placeOf(origin, name);
    this.take(origin, name, text, () => {
      if (judged === null) throw unknownKey(place, name);
      if (judged.is === 'refused') throw new ConfigError(place, judged.what, judged.wayOut);
      const { key, value } = judged;
      const [field, row] = rowOf(key) as Row;
      const member = memberOf(row, key);
      const before = this.values.get(field);
      const read = (): unknown =>
        member === null ? row.read(value, before) : row.readMember?.(member, value, before);
      return [field, attempt(place, `write for example '${row.example}'`, read)];
    });
  }

  /** Takes the text of a variable or a flag of the table. */
  spelling(origin: Origin, spelling: Spelling<unknown>, text: string, field: keyof Settings): void {
    this.take(origin, spelling.name, text, () => {
      const read = (): unknown => {
        // What the system hands over is bytes; no operator means a password with half of a letter in it.
        if (text.includes('\uFFFD')) throw new MalformedValue('this is not UTF-8');
        return spelling.read(text, this.values.get(field));
      };
      return [field, attempt(placeOf(origin, spelling.name), 'change or remove it', read)];
    });
  }

  /** Notes what became of a text that sets nothing. */
  note(origin: Origin, name: string, text: string, meaning: Meaning): void {
    if (meaning.is === 'refused') meaning.fault.at(origin);
    this.told.push({ origin, name, text, meaning });
  }

  /** Sets what follows from other settings, or from the machine. */
  follow<Field extends keyof Settings>(field: Field, value: Settings[Field], origin: Origin): void {
    this.values.set(field, value);
    this.from.set(field, [...(this.from.get(field) ?? []), origin]);
  }

  private take(
    origin: Origin,
    name: string,
    text: string,
    read: () => readonly [keyof Settings, unknown],
  ): void {
    try {
      const [field, value] = read();
      this.values.set(field, value);
      this.from.set(field, [...this.before(field), origin]);
      this.told.push({ origin, name, text, meaning: { is: 'setting', field } });
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      this.note(origin, name, text, { is: 'refused', fault: error });
    }
  }

  /** What of a field comes from other texts still: nothing, unless it has members. */
  private before(field: keyof Settings): readonly Origin[] {
    const { readMember } = SETTINGS[field] as Setting<unknown>;
    return readMember === undefined ? [] : (this.from.get(field) ?? []);
  }
}

/** The row that a key of a file sets, as a whole or a member of it. */
function rowOf(key: string): Row | undefined {
  return ROWS.find(([, row]) => key === row.key || memberOf(row, key) !== null);
}

/** The setting that a name stands for: its key, one of RabbitMQ's, or a member's; null: none. */
export function fieldNamed(name: string): keyof Settings | null {
  return rowOf(settingNamed(name))?.[0] ?? null;
}

const isSetting = (key: string): boolean => rowOf(key) !== undefined;

/** The `guest` of `loopback_users.guest`, or null when the key names no member of this setting. */
function memberOf(row: Setting<unknown>, key: string): string | null {
  if (row.readMember === undefined || !key.startsWith(`${row.key}.`)) return null;
  return key.slice(row.key.length + 1);
}

/** The keys that set the same member as this name, for the settings whose key its beginning may be meant to be. */
function memberKeys(name: string): readonly string[] {
  const parts = name.split('.');
  return ROWS.flatMap(([, { key, readMember }]) => {
    const length = key.split('.').length;
    if (readMember === undefined || parts.length <= length) return [];
    const meant = suggest(parts.slice(0, length).join('.'), [key]);
    return meant === null ? [] : [[key, ...parts.slice(length)].join('.')];
  });
}

function unknownKey(place: string, name: string): ConfigError {
  const meant = suggest(name, [...KEYS, ...memberKeys(name)]);
  const wayOut = meant === null ? `remove it, or ${SEE_ALL}` : `did you mean '${meant}'?`;
  return new ConfigError(place, `there is no setting of this name`, wayOut);
}

function attempt(place: string, wayOut: string, read: () => unknown): unknown {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof MalformedValue)) throw error;
    throw new ConfigError(place, error.message, wayOut);
  }
}
