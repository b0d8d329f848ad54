// Owns the order of the layers: defaults < config files < environment < flags, and what is told when one of them is
// wrong. Never knows a single setting by name: the table does.

import { applyClusterRules, idleClusterText } from './cluster/cluster-rules.ts';
import { type ConfigError, ConfigErrors } from './config-error.ts';
import { filesOfRabbitmq, type Place, placeOfFiles, warnOfFiles } from './layers/default-files.ts';
import { Draft, ROWS, type Told } from './layers/draft.ts';
import { applyVariables, gatherVariables, type Variables } from './layers/environment.ts';
import { applyFiles, findFiles } from './layers/files.ts';
import { applyConsequences } from './layers/follow.ts';
import type { Environment, Machine } from './layers/machine.ts';
import type { Origin } from './origin.ts';
import type { Settings } from './settings.ts';

/** Where settings come from, the weakest first. */
export interface Sources {
  /** Paths or glob patterns; the files they find are read in order of name. */
  readonly configGlobs: readonly string[];
  readonly env: Environment;
  /** Flags as written on the command line, such as `--port`, with their text: `true` for a switch. */
  readonly flags: Readonly<Record<string, string>>;
  /** What lies on the machine beside them; left out: nothing is looked at. */
  readonly machine?: Machine | null;
  /** Told of what looks like a mistake but need not be one, such as an unknown `LEVERET_` variable. */
  readonly onWarning?: (warning: string) => void;
}

/** What all layers together say. */
export interface Config {
  readonly settings: Settings;
  /** What set each field, the last one last; a field that is not there has its default. */
  readonly origins: ReadonlyMap<keyof Settings, readonly Origin[]>;
  /** Every text that was met, with what became of it, in the order of the layers. */
  readonly told: readonly Told[];
  /** The config files that were read, in their order. */
  readonly files: readonly string[];
  /** What looks like a mistake but need not be one. */
  readonly warnings: readonly string[];
  /** All that is wrong; a broker must not start with any. */
  readonly faults: readonly ConfigError[];
}

/** Reads all layers; what is wrong is among the `faults`. */
export async function readConfig(sources: Sources): Promise<Config> {
  const { configGlobs, env, flags, machine = null } = sources;
  const draft = new Draft();
  const warnings: string[] = [];
  const place = placeOfFiles(configGlobs, env, machine?.root ?? null);
  const root = place.is === 'of RabbitMQ' ? place.root : null;
  const variables = gatherVariables(env, root, warnings);
  await warnOfFiles(variables, place, warnings);
  const files = await filesAt(place, variables, draft, warnings);
  applyFiles(files, env, draft);
  warnings.push(...applyVariables(variables, draft));
  for (const [field, row] of ROWS) {
    for (const flag of row.flags) {
      const text = flags[flag.name];
      if (text === undefined) continue;
      draft.spelling({ from: 'flag', name: flag.name }, flag, text, field);
    }
  }
  applyConsequences(draft, machine?.inContainer ?? false, true);
  return configOf(draft, files, warnings);
}

/** What a draft has come to, with what is to be said of it. */
export function configOf(
  { settings, origins, told, faults }: Draft,
  files: readonly string[],
  warnings: readonly string[],
): Config {
  const said = [
    withoutEffectText(told),
    ...warnings,
    barePortText(told, settings),
    idleClusterText(settings),
  ];
  return { settings, origins, told, files, warnings: said.filter((each) => each !== null), faults };
}

/** The config files at a place, which may be those of a RabbitMQ. */
async function filesAt(
  place: Place,
  variables: Variables,
  draft: Draft,
  warnings: string[],
): Promise<readonly string[]> {
  if (place.is === 'named') return findFiles(place.globs, draft);
  if (place.is === 'own') return place.files;
  const { files, definitions } = await filesOfRabbitmq(place.root, variables, draft, warnings);
  if (definitions === null) return files;
  if (files.length === 0) {
    const origin: Origin = { from: 'file', file: definitions, line: 0 };
    draft.key(origin, 'load_definitions', definitions);
  } else {
    warnings.push(`${definitions} is loaded only where load_definitions names it`);
  }
  return files;
}

/** The same for a start: rejects with a ConfigError, with ConfigErrors where more than one thing is wrong. */
export async function loadConfig(sources: Sources): Promise<Config> {
  const config = await readConfig(sources);
  const { faults, warnings } = config;
  if (faults.length > 1) throw new ConfigErrors('settings', faults);
  if (faults[0] !== undefined) throw faults[0];
  for (const warning of warnings) sources.onWarning?.(warning);
  return config;
}

/** The settings alone of `loadConfig`. */
export async function loadSettings(sources: Sources): Promise<Settings> {
  return (await loadConfig(sources)).settings;
}

/**
 * The defaults with what a program sets by the keys of config files, later ones over earlier ones.
 * Throws a ConfigError; `place` names where the keys stand.
 */
export function settingsOf(place: string, lines: Iterable<readonly [string, string]>): Settings {
  const draft = new Draft();
  for (const [key, value] of lines) draft.key({ from: 'program', place }, key, value);
  applyClusterRules(draft, true);
  const [fault] = draft.faults;
  if (fault !== undefined) throw fault;
  return draft.settings;
}

const BARE_PORT_KEY = /^listeners\.(tcp|ssl)\.[^.]+$/;
/** Hosts that no other machine reaches. */
const LOOPBACK = /^(localhost|127\..*|::1)$/;

/** Says that a port alone is not heard from elsewhere, as it is by RabbitMQ; null: none is alone in the end. */
function barePortText(
  told: readonly Told[],
  { tcpListeners, sslListeners }: Settings,
): string | null {
  const local = told.filter(({ origin, name, text, meaning }) => {
    if (meaning.is !== 'setting' || origin.from !== 'file') return false;
    if (!BARE_PORT_KEY.test(name) || !/^\d+$/.test(text)) return false;
    const [, kind, member = ''] = name.split('.');
    const host = (kind === 'tcp' ? tcpListeners : sslListeners).get(member)?.host;
    return host !== undefined && LOOPBACK.test(host);
  });
  const [first] = local;
  if (first === undefined) return null;
  const lines = local.map(({ name, text }) => `${name} = ${text}`).join(', ');
  return (
    `${lines}: a port alone listens on this machine only, where RabbitMQ listens on every interface; ` +
    `write ${first.name} = 0.0.0.0:${first.text} for that`
  );
}

/** One line about all keys that change nothing, by reason; null: there are none. */
function withoutEffectText(told: readonly Told[]): string | null {
  const byReason = new Map<string, string[]>();
  for (const { name, meaning } of told) {
    if (meaning.is !== 'without effect') continue;
    byReason.set(meaning.why, [...(byReason.get(meaning.why) ?? []), name]);
  }
  if (byReason.size === 0) return null;
  const parts = [...byReason].map(([why, of]) => `${of.join(', ')} (${why})`);
  return `settings of RabbitMQ without an effect here: ${parts.join('; ')}`;
}
