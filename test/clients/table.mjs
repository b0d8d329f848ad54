// Lays out rows as a table of text. Counts nothing.

/** The keys of the first row are the heads of the columns. */
export function formatTable(rows) {
  const heads = Object.keys(rows[0]);
  const lines = [heads, ...rows.map((row) => heads.map((head) => String(row[head])))];
  const widths = heads.map((_, at) => Math.max(...lines.map((line) => line[at].length)));
  return lines
    .map((line) => line.map((cell, at) => cell.padEnd(widths[at])).join('  '))
    .map((line) => line.trimEnd())
    .join('\n');
}
