// Owns the wire's fixed numbers: frame types and sizes, class ids, method keys.
// Never says what a method carries (spec.ts) nor what an error means (errors.ts).
import { Buffer } from 'node:buffer';

/** Frame types, §4.2.3: the first octet of every frame. */
export const FRAME_METHOD = 1;
export const FRAME_HEADER = 2;
export const FRAME_BODY = 3;
export const FRAME_HEARTBEAT = 8;

/** The octet that closes every frame, §4.2.3. */
export const FRAME_END = 0xce;

//   0      1         3             7                  7+size
//   +------+---------+-------------+---------+--------+
//   | type | channel | size        | payload | 0xCE   |
//   +------+---------+-------------+---------+--------+
/** Type, channel and size. */
export const FRAME_HEAD_BYTES = 7;
/** What a frame costs beside its payload: the head and the end octet. */
export const FRAME_OVERHEAD_BYTES = 8;
/** The smallest frame-max a peer may ask for, and the limit before tune-ok, §4.2.3. */
export const FRAME_MIN_SIZE = 4096;

/** What a client sends first, and what a server answers to anything else, §4.2.2. */
export const PROTOCOL_HEADER = Buffer.from([0x41, 0x4d, 0x51, 0x50, 0, 0, 9, 1]);

/** The bit of basic.publish that asks for messages back which no queue takes, §1.8.3.7. */
export const PUBLISH_MANDATORY = 1;

/** The reply code of a close without an error, §1.2. */
export const REPLY_SUCCESS = 200;

export const CLASS_CONNECTION = 10;
export const CLASS_CHANNEL = 20;
export const CLASS_ACCESS = 30;
export const CLASS_EXCHANGE = 40;
export const CLASS_QUEUE = 50;
export const CLASS_BASIC = 60;
export const CLASS_CONFIRM = 85;
export const CLASS_TX = 90;

// A method key is the first four octets of a method payload read as one integer, §4.2.4:
// the class id in the high half, the method id in the low half.

export const CONNECTION_START = (CLASS_CONNECTION << 16) | 10;
export const CONNECTION_START_OK = (CLASS_CONNECTION << 16) | 11;
export const CONNECTION_SECURE = (CLASS_CONNECTION << 16) | 20;
export const CONNECTION_SECURE_OK = (CLASS_CONNECTION << 16) | 21;
export const CONNECTION_TUNE = (CLASS_CONNECTION << 16) | 30;
export const CONNECTION_TUNE_OK = (CLASS_CONNECTION << 16) | 31;
export const CONNECTION_OPEN = (CLASS_CONNECTION << 16) | 40;
export const CONNECTION_OPEN_OK = (CLASS_CONNECTION << 16) | 41;
export const CONNECTION_CLOSE = (CLASS_CONNECTION << 16) | 50;
export const CONNECTION_CLOSE_OK = (CLASS_CONNECTION << 16) | 51;
export const CONNECTION_BLOCKED = (CLASS_CONNECTION << 16) | 60;
export const CONNECTION_UNBLOCKED = (CLASS_CONNECTION << 16) | 61;
export const CONNECTION_UPDATE_SECRET = (CLASS_CONNECTION << 16) | 70;
export const CONNECTION_UPDATE_SECRET_OK = (CLASS_CONNECTION << 16) | 71;

export const CHANNEL_OPEN = (CLASS_CHANNEL << 16) | 10;
export const CHANNEL_OPEN_OK = (CLASS_CHANNEL << 16) | 11;
export const CHANNEL_FLOW = (CLASS_CHANNEL << 16) | 20;
export const CHANNEL_FLOW_OK = (CLASS_CHANNEL << 16) | 21;
export const CHANNEL_CLOSE = (CLASS_CHANNEL << 16) | 40;
export const CHANNEL_CLOSE_OK = (CLASS_CHANNEL << 16) | 41;

export const ACCESS_REQUEST = (CLASS_ACCESS << 16) | 10;
export const ACCESS_REQUEST_OK = (CLASS_ACCESS << 16) | 11;

export const EXCHANGE_DECLARE = (CLASS_EXCHANGE << 16) | 10;
export const EXCHANGE_DECLARE_OK = (CLASS_EXCHANGE << 16) | 11;
export const EXCHANGE_DELETE = (CLASS_EXCHANGE << 16) | 20;
export const EXCHANGE_DELETE_OK = (CLASS_EXCHANGE << 16) | 21;
export const EXCHANGE_BIND = (CLASS_EXCHANGE << 16) | 30;
export const EXCHANGE_BIND_OK = (CLASS_EXCHANGE << 16) | 31;
export const EXCHANGE_UNBIND = (CLASS_EXCHANGE << 16) | 40;
/** 51 is no slip: RabbitMQ's extension numbers it so, and every client follows. */
export const EXCHANGE_UNBIND_OK = (CLASS_EXCHANGE << 16) | 51;

export const QUEUE_DECLARE = (CLASS_QUEUE << 16) | 10;
export const QUEUE_DECLARE_OK = (CLASS_QUEUE << 16) | 11;
export const QUEUE_BIND = (CLASS_QUEUE << 16) | 20;
export const QUEUE_BIND_OK = (CLASS_QUEUE << 16) | 21;
export const QUEUE_PURGE = (CLASS_QUEUE << 16) | 30;
export const QUEUE_PURGE_OK = (CLASS_QUEUE << 16) | 31;
export const QUEUE_DELETE = (CLASS_QUEUE << 16) | 40;
export const QUEUE_DELETE_OK = (CLASS_QUEUE << 16) | 41;
export const QUEUE_UNBIND = (CLASS_QUEUE << 16) | 50;
export const QUEUE_UNBIND_OK = (CLASS_QUEUE << 16) | 51;

export const BASIC_QOS = (CLASS_BASIC << 16) | 10;
export const BASIC_QOS_OK = (CLASS_BASIC << 16) | 11;
export const BASIC_CONSUME = (CLASS_BASIC << 16) | 20;
export const BASIC_CONSUME_OK = (CLASS_BASIC << 16) | 21;
export const BASIC_CANCEL = (CLASS_BASIC << 16) | 30;
export const BASIC_CANCEL_OK = (CLASS_BASIC << 16) | 31;
export const BASIC_PUBLISH = (CLASS_BASIC << 16) | 40;
export const BASIC_RETURN = (CLASS_BASIC << 16) | 50;
export const BASIC_DELIVER = (CLASS_BASIC << 16) | 60;
export const BASIC_GET = (CLASS_BASIC << 16) | 70;
export const BASIC_GET_OK = (CLASS_BASIC << 16) | 71;
export const BASIC_GET_EMPTY = (CLASS_BASIC << 16) | 72;
export const BASIC_ACK = (CLASS_BASIC << 16) | 80;
export const BASIC_REJECT = (CLASS_BASIC << 16) | 90;
export const BASIC_RECOVER_ASYNC = (CLASS_BASIC << 16) | 100;
export const BASIC_RECOVER = (CLASS_BASIC << 16) | 110;
export const BASIC_RECOVER_OK = (CLASS_BASIC << 16) | 111;
export const BASIC_NACK = (CLASS_BASIC << 16) | 120;

export const CONFIRM_SELECT = (CLASS_CONFIRM << 16) | 10;
export const CONFIRM_SELECT_OK = (CLASS_CONFIRM << 16) | 11;

export const TX_SELECT = (CLASS_TX << 16) | 10;
export const TX_SELECT_OK = (CLASS_TX << 16) | 11;
export const TX_COMMIT = (CLASS_TX << 16) | 20;
export const TX_COMMIT_OK = (CLASS_TX << 16) | 21;
export const TX_ROLLBACK = (CLASS_TX << 16) | 30;
export const TX_ROLLBACK_OK = (CLASS_TX << 16) | 31;
