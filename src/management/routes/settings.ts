// Owns the routes of settings: what holds, where it came from, and changing it while the broker runs. Never knows a
// single setting.

import { type JsonValue, numberOf, wordOf } from '../../util/json/json.ts';
import { UserError } from '../../util/user-error.ts';
import type { Call } from '../call.ts';
import type { SettingView } from '../context.ts';
import { badRequest } from '../http-error.ts';
import { get, put, type Route, remove } from '../route.ts';

export const SETTING_ROUTES: readonly Route[] = [
  get('/settings', 'administrator', (call) => call.context.settings.list()),
  get('/settings/:name', 'administrator', (call) => named(call)),
  put('/settings/:name', 'administrator', (call) => {
    const { value } = call.object('value');
    const { settings, clock } = call.context;
    const text = textOf(value);
    const before = call.context.settings.find(call.param('name'))?.value;
    const now = attempt(() =>
      settings.set(call.param('name'), text, call.principal.name, clock.wallMs()),
    );
    say(call, 'setting set', now, before);
    return now;
  }),
  remove('/settings/:name', 'administrator', (call) => {
    const before = named(call).value;
    const now = attempt(() => call.context.settings.unset(call.param('name')));
    say(call, 'setting unset', now, before);
    return now;
  }),
];

function named(call: Call): SettingView {
  return call.found(call.context.settings.find(call.param('name')));
}

function say(call: Call, text: string, { name, value }: SettingView, before?: string): void {
  const { log } = call.context;
  log.info({ user: call.principal.name, setting: name, before, value }, text);
}

/** A value as a config file has it: numbers and flags may come as such. */
function textOf(value: JsonValue | undefined): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'boolean' || Number.isFinite(numberOf(value))) return String(value);
  throw badRequest(`value must be a text, a number, true or false, not ${wordOf(value)}`);
}

function attempt<T>(run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    throw badRequest(error.message);
  }
}
