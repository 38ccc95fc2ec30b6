import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isSlot, shapeOf, shapeToText } from './token-shapes.ts';

describe('shapeOf', () => {
  it.each([
    ['Sum 3 and 4.50', 'sum <number> and <number>'],
    ['Report for 2026-03-01 at 10:15', 'report for <date> at <time>'],
    ['Events on March 3rd, 2026', 'events on <date>'],
    ['See https://a.b/c?d=1 and ann@b.org', 'see <url> and <email>'],
    ['Translate "good day" please', 'translate <quote> please'],
    ['Ticket INC-20415 of 0f8fad5b-d9cb-469f-a165-70867728950e', 'ticket <id> of <id>'],
    ['Was kostet „Der Prozess“?', 'was kostet <quote>?'],
    ['翻译「你好」', '翻 译 <quote>'],
    ['up 12% to $1,300', 'up <number> to <number>'],
  ])('puts slots where values stand: %s', (text, shape) => {
    expect(shapeToText(shapeOf(text))).toBe(shape);
  });

  it('is total and bounded for any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 200 }), (text) => {
        expect(shapeOf(text).length).toBeLessThanOrEqual(2 * text.length + 8);
      }),
    );
    expect(shapeOf('"'.repeat(200_000)).length).toBeLessThanOrEqual(2_000);
  });
});

describe('isSlot', () => {
  it('knows its own slots', () => {
    expect(shapeOf('on 2026-01-01').map(isSlot)).toEqual([false, true]);
  });
});
