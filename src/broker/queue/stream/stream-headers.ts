// Owns the names of the headers of messages that streams go by. Never reads one.

/** What consumers may filter by: a text. */
export const FILTER_VALUE_HEADER = 'x-stream-filter-value';

/** The name of the publisher that numbers its messages: a text. */
export const PUBLISHER_HEADER = 'x-stream-publisher';
/** Which of them a message is: an integer. */
export const PUBLISHING_ID_HEADER = 'x-stream-publishing-id';
/** Which of them has to be the last one so far: an integer. */
export const EXPECTED_ID_HEADER = 'x-stream-expected-id';
