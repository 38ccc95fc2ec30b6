import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { askedBlock, withoutInsertedBlocks, withShortDocuments } from './client-blocks.ts';

describe('withoutInsertedBlocks', () => {
  it.each([
    ['a reminder', '<system-reminder>You have tools.</system-reminder>\nWhat is python?', 'What is python?'],
    [
      'several of them',
      'Fix it<environment_details>\ncwd: /a\n</environment_details><user_info>x</user_info>',
      'Fix it',
    ],
    ['a block with attributes', '<ide_selection path="a.ts">code</ide_selection> Why?', 'Why?'],
    ['nothing of a document', '<context>facts</context> Who won?', '<context>facts</context> Who won?'],
    ['nothing without an end', '<system-reminder>still typing', '<system-reminder>still typing'],
    [
      'no mark-up that people write',
      'Why is <b>this</b> bold, if a < b?',
      'Why is <b>this</b> bold, if a < b?',
    ],
  ])('takes out %s', (_what, text, left) => {
    expect(withoutInsertedBlocks(text)).toBe(left);
  });

  it('never adds a sign, whatever the tags look like', () => {
    const piece = fc.constantFrom('<', '>', '</', 'context', 'system-reminder', ' a="', 'task', '\n', 'word');
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 60 }), (pieces) => {
        const text = pieces.join('');
        expect(withoutInsertedBlocks(text).replace(/\s/g, '').length).toBeLessThanOrEqual(text.length);
      }),
    );
  });

  it('reads a megabyte of opening tags in one pass', () => {
    const text = '<system-reminder>'.repeat(60_000);
    expect(withoutInsertedBlocks(text)).toBe(text);
  });
});

describe('askedBlock', () => {
  it.each([
    ['### Task: answer from the context.\n<user_query>\nSort it\n</user_query>', 'Sort it'],
    ['<userRequest>one</userRequest> and <userRequest>two</userRequest>', 'two'],
    ['<user_query> </user_query> text', null],
    ['</user_query> turned <user_query>', null],
    ['no tags', null],
  ])('finds what was typed in %j', (text, asked) => {
    expect(askedBlock(text)).toBe(asked);
  });
});

describe('withShortDocuments', () => {
  it('shortens what stands in a document block and nothing else', () => {
    const text = 'Sum up <file path="a">0123456789</file> please <b>0123456789</b>';
    expect(withShortDocuments(text, (content) => content.slice(0, 3))).toBe(
      'Sum up \n012\n please <b>0123456789</b>',
    );
  });
});
