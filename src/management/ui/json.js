// Owns reading JSON so that numbers keep their digits: integers beyond 2^53, and floats such as 1.0. Never
// changes what JSON.stringify makes of the values.

/**
 * The runtime's way to numbers as they are written, which older browsers lack: these round as JSON.parse does.
 * @typedef {JSON & { rawJSON?: (text: string) => unknown }} DigitsJson
 */
const { rawJSON } = /** @type {DigitsJson} */ (JSON);

/**
 * The value of a text. A number that would change is an object that JSON.stringify writes as it was.
 * @param {string} text
 */
export function parseJson(text) {
  if (rawJSON === undefined) return JSON.parse(text);
  return JSON.parse(text, /** @type {typeof keepDigits} */ (keepDigits));
}

/**
 * @param {string} _key
 * @param {unknown} value
 * @param {{ source?: string }} [context]
 */
function keepDigits(_key, value, context) {
  const source = context?.source;
  if (typeof value !== 'number' || source === undefined || String(value) === source) return value;
  return rawJSON?.(source) ?? value;
}
