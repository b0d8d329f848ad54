// Owns the bytes of a heartbeat (§4.2.7). Never sends one.

import { FRAME_END, FRAME_HEARTBEAT } from '../../amqp/constants.ts';

/** A frame that says nothing but that its sender is there. */
export const HEARTBEAT_FRAME = Buffer.of(FRAME_HEARTBEAT, 0, 0, 0, 0, 0, 0, FRAME_END);
