// Owns making any text safe to print: what would act on a terminal, or turn the order of what is read,
// is spelt out. Never shortens a text: log-fields.ts does.

/**
 * Control characters of both ranges, marks that change the direction of text, separators of lines and
 * paragraphs that are none of the text's own, and halves of pairs, which are no characters at all.
 */
const UNPRINTABLE =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]|\p{Surrogate}/gu;

/**
 * The text with what is not printable spelt as JSON would (`\u001b`); line feeds and tabs stay. Inside of JSON the
 * result is the same JSON.
 */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, escapeOf);
}

/** The same on one line and in one column: line feeds and tabs are spelt out too. */
export function printableLine(text: string): string {
  return printable(text).replaceAll('\n', '\\n').replaceAll('\t', '\\t');
}

const SHORT: Readonly<Record<string, string>> = {
  '\b': '\\b',
  '\f': '\\f',
  '\r': '\\r',
};

function escapeOf(found: string): string {
  return SHORT[found] ?? `\\u${found.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
