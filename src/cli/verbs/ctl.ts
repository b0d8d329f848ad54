// Owns the list of verbs that only RabbitMQ's tools have, or that say something else there. Never doubles one that
// `leveret` has and that says the same.

import { CHECK_VERBS } from '../ctl/checks.ts';
import { CLIENT_VERBS } from '../ctl/clients.ts';
import type { CtlVerb } from '../ctl/ctl-verb.ts';
import { LIST_VERBS, VALUE_LIST_VERBS } from '../ctl/lists.ts';
import { NODE_VERBS } from '../ctl/node.ts';
import { OWN_MACHINE_VERBS } from '../ctl/own-machine.ts';
import { REFUSED_VERBS } from '../ctl/refused.ts';
import { SETTING_VERBS } from '../ctl/settings.ts';
import { STATUS_VERBS } from '../ctl/status.ts';
import { USER_VERBS } from '../ctl/users.ts';
import { SUPER_STREAM_CTL_VERBS } from './live/super-streams.ts';

export const CTL_VERBS: readonly CtlVerb[] = [
  ...USER_VERBS,
  ...LIST_VERBS,
  ...VALUE_LIST_VERBS,
  ...STATUS_VERBS,
  ...CHECK_VERBS,
  ...NODE_VERBS,
  ...CLIENT_VERBS,
  ...OWN_MACHINE_VERBS,
  ...SETTING_VERBS,
  ...SUPER_STREAM_CTL_VERBS,
  ...REFUSED_VERBS,
];
