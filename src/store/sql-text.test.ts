import { describe, expect, it } from 'vitest';
import { placeholderNames, quoteText, splitStatements } from './sql-text.ts';

describe('splitStatements', () => {
  it('splits at semicolons that are code', () => {
    expect(splitStatements("SELECT 1;\n\nSELECT ';' AS a, 'it''s \\'; ' ;SELECT `;`")).toEqual([
      'SELECT 1',
      "SELECT ';' AS a, 'it''s \\'; '",
      'SELECT `;`',
    ]);
  });

  it('sees through comments, and quotes inside them', () => {
    expect(splitStatements("-- it's; not code\nSELECT 1 /* ; ' */; -- the end;\n")).toEqual([
      "-- it's; not code\nSELECT 1 /* ; ' */",
    ]);
    expect(splitStatements("SELECT '-- no comment'; SELECT 2")).toEqual([
      "SELECT '-- no comment'",
      'SELECT 2',
    ]);
    expect(splitStatements(' \n -- nothing\n;;')).toEqual([]);
  });
});

describe('placeholderNames', () => {
  it('finds the placeholders that need a value', () => {
    const sql = "SELECT {from:DateTime64(3)}, { to : String}, '{no:String}', {'a':1} -- {nor:UInt8}";
    expect([...placeholderNames(sql)]).toEqual(['from', 'to']);
  });
});

describe('quoteText', () => {
  it('lets no text end its quotes', () => {
    expect(quoteText("a'b\\'c")).toBe("'a\\'b\\\\\\'c'");
  });
});
