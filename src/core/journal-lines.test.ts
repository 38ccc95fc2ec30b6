import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeLines, encodeLine, LineBuffer } from './journal-lines.ts';

const TABLES = ['usage_log', 'signals', 'decisions', 'unresolved_feedback'] as const;

describe('LineBuffer', () => {
  it('writes the bytes of encodeLine, turn after turn', () => {
    const buffer = new LineBuffer();
    const row = fc.tuple(fc.constantFrom(...TABLES), fc.string({ unit: 'grapheme', maxLength: 200 }));
    fc.assert(
      fc.property(fc.array(row, { maxLength: 20 }), (rows) => {
        const texts = rows.map(([table, text]) => [table, JSON.stringify({ text })] as const);
        for (const [table, json] of texts) buffer.add(table, json);
        const { bytes, lineCount } = buffer.take();
        expect(lineCount).toBe(rows.length);
        expect(Buffer.from(bytes).toString()).toBe(texts.map((line) => encodeLine(...line)).join(''));
      }),
    );
  });

  it('grows for rows larger than it is, keeping those before', () => {
    const buffer = new LineBuffer();
    const rows = ['{"n":1}', JSON.stringify({ text: 'ä€'.repeat(700_000) }), '{"n":2}'];
    for (const json of rows) buffer.add('usage_log', json);
    const { lines, tornCount } = decodeLines(Buffer.from(buffer.take().bytes), 10);
    expect(lines.map(({ bytes }) => bytes.toString().trimEnd())).toEqual(rows);
    expect(tornCount).toBe(0);
    buffer.add('signals', rows[0] ?? '');
    expect(Buffer.from(buffer.take().bytes).toString()).toBe(encodeLine('signals', rows[0] ?? ''));
  });
});
