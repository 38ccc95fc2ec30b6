/**
 * What of `sql` is code: quoted texts and comments are blanked, lengths and positions stay. Enough of
 * ClickHouse's lexer to find semicolons and placeholders; it does not judge the text.
 */
function blankQuotesAndComments(sql: string): string {
  // Quoted with ' " or `, where a backslash or a doubled quote does not end it; then the three comments.
  const hidden =
    /'(?:[^'\\]|\\[\s\S]|'')*'|"(?:[^"\\]|\\[\s\S]|"")*"|`(?:[^`\\]|\\[\s\S]|``)*`|--[^\n]*|#[ !][^\n]*|\/\*[\s\S]*?\*\//g;
  return sql.replace(hidden, (text) => text.replace(/[^\n]/g, ' '));
}

/** The statements of a file, in order, without their semicolons; pieces that are only comments are left out. */
export function splitStatements(sql: string): string[] {
  const code = blankQuotesAndComments(sql);
  const statements: string[] = [];
  let from = 0;
  while (from < code.length) {
    const semicolon = code.indexOf(';', from);
    const to = semicolon < 0 ? code.length : semicolon;
    if (code.slice(from, to).trim() !== '') statements.push(sql.slice(from, to).trim());
    from = to + 1;
  }
  return statements;
}

/** Names of the `{name:Type}` placeholders that a statement needs values for. */
export function placeholderNames(sql: string): Set<string> {
  const code = blankQuotesAndComments(sql);
  const names = new Set<string>();
  for (const match of code.matchAll(/\{\s*([A-Za-z_]\w*)\s*:/g)) {
    if (match[1] !== undefined) names.add(match[1]);
  }
  return names;
}

/** A text as a literal of the dialect. Only the store process uses it, for `SET param_…`. */
export function quoteText(text: string): string {
  return `'${text.replace(/\\/g, '\\\\').replace(/'/g, "\\'").replace(/\0/g, '\\0')}'`;
}
