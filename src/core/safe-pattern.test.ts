import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileSafePattern, PATTERN_TEXT_MAX, patternTextMax } from './safe-pattern.ts';

describe('compileSafePattern', () => {
  it.each([
    ['refund', 'I want a REFUND'],
    ['\\brefunds?\\b', 'two refunds'],
    ['^(?:please )?translate\\b', 'please translate this'],
    ['(invoice|bill) (number|no)', 'my bill no 7'],
    ['order\\s+#?\\d+', 'order   #123'],
    ['INC-\\d{4,8}', 'see inc-20415'],
    ['cancel.*order', 'cancel my order'],
    ['[\\w.]+@acme\\.com', 'a.b@acme.com'],
    ['退款|возврат', '我要退款'],
    ['\\p{Lu}{3}', 'abc'],
    ['(?<year>\\d{4})-\\d\\d', '2026-01'],
    ['(?=.*x)', 'x'],
    ['(?:ha)+', 'haha'],
    ['a{3}', 'aaa'],
    ['[^\\]]', 'a'],
    ['.*refund.*', 'a refund'],
    ['a\\.*', 'a...'],
  ])('admits %s', (source, text) => {
    expect(compileSafePattern(source).test(text)).toBe(true);
  });

  it.each([
    ['(a+)+$', 'inside a repeated group'],
    ['((a*)b*)*', 'inside a repeated group'],
    ['(a|aa)+$', 'choice inside a repeated group'],
    ['(.*){10}', 'inside a repeated group'],
    ['(?:(?:a?)b){5}', 'inside a repeated group'],
    ['(?:a?){25}', 'inside a repeated group'],
    ['a.*b.*c', 'list of patterns'],
    ['^x|.*y.*z.*a', 'list of patterns'],
    ['\\w+\\w+x', 'list of patterns'],
    ['\\w+\\d*\\w+$', 'list of patterns'],
    ['^.*.*.*x', 'list of patterns'],
    ['(?:ab)*(?:ab)*c', 'list of patterns'],
    ['.{1,500}.{1,500}x', 'list of patterns'],
    ['(a)\\1', 'references'],
    ['a?'.repeat(20), 'optional parts'],
    ['a{5000}', 'at most 100'],
    ['(', 'Invalid regular expression'],
    ['', 'characters'],
    ['a'.repeat(2_000), 'characters'],
  ])('refuses %s', (source, reason) => {
    expect(() => compileSafePattern(source)).toThrow(new RegExp(reason));
  });

  it('tries a pattern that can be quadratic on less text', () => {
    expect(patternTextMax(compileSafePattern('refund|bill'))).toBe(PATTERN_TEXT_MAX);
    expect(patternTextMax(compileSafePattern('cancel.*order'))).toBeLessThan(PATTERN_TEXT_MAX / 2);
  });

  it('either refuses a pattern or finishes on a text made of its own letters', () => {
    const atom = fc.constantFrom('a', 'b', '.', '\\w', '[ab]', '\\s', '(?:ab)', '(a)', '(?:a|b)', '[^a]');
    const repeat = fc.constantFrom('', '', '*', '+', '?', '{2,}', '{3}', '{1,9}', '*?');
    const source = fc
      .array(fc.tuple(atom, repeat), { minLength: 1, maxLength: 7 })
      .map((items) => items.map(([one, times]) => one + times).join(''));
    const texts = ['a', 'b', 'ab', 'ba ', 'aab'].map(
      (unit) => `${unit.repeat(PATTERN_TEXT_MAX / unit.length)}!`,
    );
    fc.assert(
      fc.property(source, (written) => {
        let pattern: RegExp;
        try {
          pattern = compileSafePattern(`${written}#`);
        } catch (error) {
          expect(error).toBeInstanceOf(RangeError);
          return;
        }
        for (const text of texts) expect(pattern.test(text)).toBe(false);
      }),
      { numRuns: 60 },
    );
  });
});
