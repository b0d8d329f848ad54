// Owns the settings of a broker that runs: what holds, where it came from, what users have set since the start, and
// reading the files again. Never acts on a setting: those that follow it do.

import { ConfigError } from '../config-error.ts';
import { Draft, fieldNamed, ROWS } from '../layers/draft.ts';
import type { Config } from '../load.ts';
import { type Origin, showOrigin } from '../origin.ts';
import { type Setting, shownSetting } from '../setting.ts';
import { SETTINGS, type Settings } from '../settings.ts';
import { changesWhen, type When } from './changeable.ts';

type Field = keyof Settings;

/** A setting as tools show it. */
export interface SettingView {
  readonly name: string;
  /** As a config file would have it; `***` for a secret. */
  readonly value: string;
  readonly default: string;
  /** Where the value came from, for people, with the strongest origin last. */
  readonly origin: string;
  /** From when a change while the broker runs holds; null: from the next start. */
  readonly changes: When | null;
  readonly about: string;
  readonly expects: string;
  /** The user that has set it while the broker runs, and when (ms since 1970); null: no user has. */
  readonly set: { readonly user: string; readonly at: number } | null;
}

/** What reading the files again has come to. */
export interface Reloaded {
  /** `key: before -> now`, for what holds now. */
  readonly changed: readonly string[];
  /** Keys whose new value waits for a restart. */
  readonly waiting: readonly string[];
  /** Keys whose new value waits until `leveret settings unset`. */
  readonly kept: readonly string[];
}

interface Override {
  readonly value: unknown;
  readonly origin: Origin & { readonly from: 'command' };
}

/**
 * Settings that say the same in two ways, of which one wins in files: a user that sets one while the broker runs means
 * that one, and the other gives way.
 */
const RIVALS: Partial<Readonly<Record<Field, Field>>> = {
  memoryWatermark: 'memoryWatermarkBytes',
  diskFreeLimitRelative: 'diskFreeLimitBytes',
  diskFreeLimitBytes: 'diskFreeLimitRelative',
};

/** The settings in force, which change while the broker runs. */
export class LiveSettings {
  /** What holds: the same object for as long as the broker runs, so that all that have it see each change. */
  readonly settings: Settings;
  private config: Pick<Config, 'settings' | 'origins'>;
  private readonly read: (() => Promise<Config>) | null;
  private readonly overrides = new Map<Field, Override>();
  private readonly followers = new Set<() => void>();

  /** `read` reads all layers again; null: there are none to read. */
  constructor(
    config: Pick<Config, 'settings' | 'origins'>,
    read: (() => Promise<Config>) | null = null,
  ) {
    this.settings = { ...config.settings };
    this.config = config;
    this.read = read;
  }

  /** Settings that a program has given, and that no file says anything of. */
  static of(settings: Settings): LiveSettings {
    return new LiveSettings({ settings, origins: new Map() });
  }

  /** Has `follow` called after each change, until what is returned is called. */
  onChange(follow: () => void): () => void {
    this.followers.add(follow);
    return () => this.followers.delete(follow);
  }

  list(): SettingView[] {
    return ROWS.map(([field]) => this.view(field));
  }

  /** One of them by a name that a config file may have for it; null: there is none of that name. */
  find(name: string): SettingView | null {
    const field = fieldNamed(name);
    return field === null ? null : this.view(field);
  }

  /**
   * Sets what the text says, read as in a file, until it is unset or the broker starts again. Throws a ConfigError for
   * what is no setting, cannot change while the broker runs, or is no value of it.
   */
  set(name: string, text: string, user: string, atMs: number): SettingView {
    const draft = new Draft(this.settings);
    const origin = { from: 'command', user, atMs } as const;
    draft.key(origin, name, text);
    const [told] = draft.told;
    if (told?.meaning.is === 'refused') throw told.meaning.fault;
    if (told?.meaning.is !== 'setting') {
      const why = told?.meaning.is === 'without effect' ? told.meaning.why : 'it sets nothing';
      throw new ConfigError(name, `this changes nothing here (${why})`, 'leave it out');
    }
    const { field } = told.meaning;
    requireChangeable(name, field);
    const override = (of: Field, value: unknown): unknown =>
      this.overrides.set(of, { value, origin });
    override(field, draft.settings[field]);
    const rival = RIVALS[field];
    if (rival !== undefined) override(rival, rowOf(rival).initial);
    this.apply();
    return this.view(field);
  }

  /** Has a setting be again what files and all else say. Throws a ConfigError for what is none. */
  unset(name: string): SettingView {
    const field = fieldNamed(name);
    if (field === null) throw noSetting(name);
    requireChangeable(name, field);
    const rival = RIVALS[field];
    const since = this.overrides.get(field)?.origin;
    this.overrides.delete(field);
    // What gave way to it comes back with it.
    if (rival !== undefined && this.overrides.get(rival)?.origin === since) {
      this.overrides.delete(rival);
    }
    this.apply();
    return this.view(field);
  }

  /** Reads the files again. Rejects with a ConfigError, and has changed nothing then. Null: there are none to read. */
  async reload(): Promise<Reloaded | null> {
    if (this.read === null) return null;
    const config = await this.read();
    const before = this.config.settings;
    const differs = ROWS.filter(
      ([field, row]) => row.show(before[field]) !== row.show(config.settings[field]),
    );
    const keys = (fields: typeof differs): string[] => fields.map(([, row]) => row.key);
    const changeable = differs.filter(([field]) => changesWhen(field) !== null);
    const kept = changeable.filter(([field]) => this.overrides.has(field));
    const changed = changeable.filter((each) => !kept.includes(each));
    const lines = changed.map(
      ([field, row]) => `${row.key}: ${shown(field, before)} -> ${shown(field, config.settings)}`,
    );
    const waiting = differs.filter(([field]) => changesWhen(field) === null);
    // What waits keeps the value and the origin of the start: that is what holds.
    const fixed = Object.fromEntries(waiting.map(([field]) => [field, before[field]]));
    this.config = {
      settings: { ...config.settings, ...fixed },
      origins: this.originsAfter(config, keysOf(waiting)),
    };
    this.apply();
    return { changed: lines, waiting: keys(waiting), kept: keys(kept) };
  }

  private originsAfter(config: Config, waiting: ReadonlySet<Field>): Config['origins'] {
    const { origins } = this.config;
    const all = ROWS.map(([field]): [Field, readonly Origin[]] => [
      field,
      (waiting.has(field) ? origins : config.origins).get(field) ?? [],
    ]);
    return new Map(all);
  }

  /** Puts what holds into the settings in force, and tells those that follow. */
  private apply(): void {
    const now: Record<string, unknown> = { ...this.config.settings };
    for (const [field, { value }] of this.overrides) now[field] = value;
    Object.assign(this.settings, now);
    for (const follow of this.followers) follow();
  }

  private view(field: Field): SettingView {
    const row = rowOf(field);
    const origin = this.overrides.get(field)?.origin;
    const origins = this.config.origins.get(field) ?? [];
    return {
      name: row.key,
      value: shown(field, this.settings),
      default: shownSetting(row, row.initial),
      origin:
        origin !== undefined
          ? showOrigin(origin)
          : origins.map(showOrigin).join(', ') || showOrigin(undefined),
      changes: changesWhen(field),
      about: row.about,
      expects: row.expects,
      set: origin === undefined ? null : { user: origin.user, at: origin.atMs },
    };
  }
}

function keysOf(rows: readonly (readonly [Field, Setting<unknown>])[]): ReadonlySet<Field> {
  return new Set(rows.map(([field]) => field));
}

function rowOf(field: Field): Setting<unknown> {
  return SETTINGS[field] as Setting<unknown>;
}

/** A value as a config file would have it, secrets left out. */
function shown(field: Field, settings: Settings): string {
  return shownSetting(rowOf(field), settings[field]);
}

function noSetting(name: string): ConfigError {
  return new ConfigError(name, 'there is no setting of this name', 'see leveret settings list');
}

function requireChangeable(name: string, field: Field): void {
  if (changesWhen(field) !== null) return;
  const wayOut = 'set it in a config file, or by a variable or a flag, and restart the broker';
  throw new ConfigError(name, 'this cannot change while the broker runs', wayOut);
}
