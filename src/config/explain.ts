// Owns what operators read of a configuration: every text with what it means here, and every setting with where it comes
// from. Never shows a secret.

import { withoutLogin } from '../util/url-text.ts';
import type { Told } from './layers/draft.ts';
import type { Config } from './load.ts';
import { type Origin, showOrigin } from './origin.ts';
import { isSecret, type Setting, shownSetting } from './setting.ts';
import { SETTINGS, type Settings } from './settings.ts';

/** A text of a file, a variable or a flag. */
export interface ExplainedText {
  readonly place: string;
  readonly name: string;
  readonly value: string;
  readonly means: 'setting' | 'without effect' | 'refused' | 'overridden';
  /** The key of the setting, the reason, or what stands in the way and the way out. */
  readonly why: string;
}

/** A setting in force. */
export interface ExplainedSetting {
  readonly key: string;
  readonly value: string;
  readonly from: string;
}

/** A configuration as it is shown, also in JSON. */
export interface Explanation {
  readonly files: readonly string[];
  readonly texts: readonly ExplainedText[];
  readonly settings: readonly ExplainedSetting[];
  readonly warnings: readonly string[];
}

/** Everything that was read, with what it means. */
export function explain({ files, told, settings, origins, warnings }: Config): Explanation {
  return {
    files,
    texts: told.map(explainText),
    settings: Object.entries(SETTINGS).map(([name, row]) => {
      const field = name as keyof Settings;
      const value = shownSetting(row as Setting<unknown>, settings[field]);
      return { key: row.key, value, from: showOrigins(origins.get(field)) };
    }),
    warnings,
  };
}

function showOrigins(origins: readonly Origin[] = []): string {
  if (origins.length === 0) return showOrigin(undefined);
  return origins.map((origin) => showOrigin(origin)).join(', ');
}

function explainText({ origin, name, text, meaning }: Told): ExplainedText {
  const value = isSecret(name)
    ? '***'
    : /^[a-z][a-z0-9+.-]*:\/\//i.test(text)
      ? withoutLogin(text)
      : text;
  const place = showOrigin(origin);
  switch (meaning.is) {
    case 'setting':
      return { place, name, value, means: 'setting', why: SETTINGS[meaning.field].key };
    case 'without effect':
      return { place, name, value, means: meaning.is, why: meaning.why };
    case 'refused':
      return { place, name, value, means: meaning.is, why: meaning.fault.message };
    case 'overridden':
      return { place, name, value, means: meaning.is, why: `by ${showOrigin(meaning.by)}` };
  }
}

/** The same for people. With `all`, settings that have their defaults too. */
export function renderExplanation(explanation: Explanation, all: boolean): string {
  const { files, texts, settings, warnings } = explanation;
  const shown = settings.filter(({ from }) => all || from !== showOrigin(undefined));
  return [
    files.length === 0 ? 'no config files' : `config files: ${files.join(', ')}`,
    '',
    ...texts.map(renderText),
    ...(texts.length === 0 ? [] : ['']),
    ...shown.map(({ key, value, from }) => `${key} = ${value}  (${from})`),
    ...(all ? [] : ['all other settings have their defaults']),
    ...warnings.map((warning) => `warning: ${warning}`),
    '',
  ].join('\n');
}

function renderText({ place, name, value, means, why }: ExplainedText): string {
  if (means === 'refused') return `refused: ${why}`;
  const sets =
    means === 'setting' ? `sets ${why}` : means === 'overridden' ? `overridden ${why}` : '';
  return `${place}: ${name} = ${value}: ${sets === '' ? `without effect: ${why}` : sets}`;
}
