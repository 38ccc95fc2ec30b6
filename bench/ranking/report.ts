export type Cell = string | number | null;

/** One table: what was measured, on what, with which seed, and what was to be reached. */
export interface Section {
  readonly id: string;
  readonly title: string;
  /** How it was measured, in a sentence or two. */
  readonly how: string;
  readonly seed: number;
  readonly goal: string | null;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly Cell[])[];
}

/** Prints a section as a Markdown table. */
export function printSection(section: Section, write: (text: string) => void): void {
  const { title, how, seed, goal, columns, rows } = section;
  write(`\n## ${title}\n\n${how} Seed ${seed}.${goal === null ? '' : ` Goal: ${goal}.`}\n\n`);
  write(`| ${columns.join(' | ')} |\n|${'---|'.repeat(columns.length)}\n`);
  for (const row of rows) write(`| ${row.map(shown).join(' | ')} |\n`);
}

/** The sections as JSON: rows as objects by column. */
export function encodeSections(
  sections: readonly Section[],
  facts: Readonly<Record<string, unknown>>,
): string {
  const tables = sections.map(({ columns, rows, ...section }) => ({
    ...section,
    rows: rows.map((row) => Object.fromEntries(columns.map((column, at) => [column, row[at] ?? null]))),
  }));
  return `${JSON.stringify({ ...facts, sections: tables }, null, 1)}\n`;
}

export function round(value: number | null, digits = 3): number | null {
  return value === null || !Number.isFinite(value) ? null : Number(value.toFixed(digits));
}

/** Mean of the values; null without any. */
export function meanOf(values: readonly number[]): number | null {
  return values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length;
}

export function quantileOf(values: readonly number[], share: number): number | null {
  const sorted = [...values].sort((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? null;
}

/** Hits of tries. */
export class Share {
  hitCount = 0;
  count = 0;

  add(isHit: boolean): void {
    this.count++;
    if (isHit) this.hitCount++;
  }

  get share(): number | null {
    return this.count === 0 ? null : this.hitCount / this.count;
  }

  /** "0.951 (1,234)". */
  get text(): string {
    return this.count === 0
      ? '–'
      : `${(this.hitCount / this.count).toFixed(3)} (${this.count.toLocaleString('en')})`;
  }
}

function shown(cell: Cell): string {
  if (cell === null) return '–';
  return typeof cell === 'number' ? cell.toLocaleString('en', { maximumFractionDigits: 4 }) : cell;
}
