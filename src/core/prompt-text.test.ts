import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { classifiedText, promptHash, promptOfMessages, textOfContent, toPromptText } from './prompt-text.ts';

const plain = (prompt: string) => ({ prompt, context: '' });

describe('promptOfMessages', () => {
  it("takes the user's last turn, and up to two before it as context", () => {
    const messages = ['one', 'two', 'three', 'four'].flatMap((text) => [
      { role: 'user', content: text },
      { role: 'assistant', content: `answer to ${text}` },
    ]);
    expect(promptOfMessages([{ role: 'system', content: 'Be brief.' }, ...messages])).toEqual({
      prompt: 'four',
      context: 'two\nthree',
    });
  });

  it('leaves out what clients insert into a turn', () => {
    const content = '<system-reminder>You have tools.</system-reminder>\nWhat is python?';
    expect(promptOfMessages([{ role: 'user', content }])).toEqual(plain('What is python?'));
  });

  it('skips turns without text', () => {
    const messages = [
      { role: 'user', content: 'Describe it' },
      { role: 'user', content: [{ type: 'image_url', image_url: { url: 'data:,' } }] },
    ];
    expect(promptOfMessages(messages)).toEqual(plain('Describe it'));
  });

  it('has nothing to say about a conversation without user turns', () => {
    expect(promptOfMessages([{ role: 'system', content: 'x' }])).toEqual(plain(''));
    expect(promptOfMessages([])).toEqual(plain(''));
  });
});

describe('textOfContent', () => {
  it.each([
    ['a text', 'hello', 'hello'],
    ['text parts', [{ type: 'text', text: 'a' }, 'b', { type: 'image' }, null, { text: 5 }], 'a\nb'],
    ['null', null, ''],
    ['a number', 7, ''],
  ])('reads %s', (_what, content, text) => {
    expect(textOfContent(content)).toBe(text);
  });
});

describe('classifiedText', () => {
  it('puts the context before the prompt', () => {
    expect(classifiedText({ prompt: 'and tomorrow?', context: 'Weather in Rome' })).toBe(
      'Weather in Rome\nand tomorrow?',
    );
  });

  it('keeps head and tail of a long text', () => {
    const text = classifiedText(plain(`Summarise: ${'x'.repeat(50_000)} in one line`));
    expect(text.length).toBeLessThan(4_100);
    expect(text.startsWith('Summarise:') && text.endsWith('in one line')).toBe(true);
  });

  it('is bounded for any input', () => {
    const long = fc.string({ maxLength: 20 }).map((text) => text.repeat(600));
    fc.assert(
      fc.property(long, long, (prompt, context) => {
        expect(classifiedText({ prompt, context }).length).toBeLessThanOrEqual(5_100);
      }),
    );
  });
});

describe('promptHash', () => {
  it('is one for prompts that differ in case, spaces and form of letters', () => {
    const hash = promptHash(plain('What is  Python?\n'));
    expect(hash).toMatch(/^[0-9a-f]{16}$/);
    expect(promptHash(plain('  what is python?'))).toBe(hash);
    expect(promptHash(plain('WHAT IS PYTHON\uff1f'))).toBe(hash);
  });

  it('differs for another prompt and for another context', () => {
    const hashes = [plain('yes'), plain('no'), { prompt: 'yes', context: 'Shall I?' }].map(promptHash);
    expect(new Set(hashes).size).toBe(3);
  });

  it('does not change under white space anywhere in the text', () => {
    const words = fc.array(fc.stringMatching(/^[a-z]{1,8}$/), { minLength: 1, maxLength: 8 });
    const gap = fc.constantFrom(' ', '  ', '\n', '\t ');
    fc.assert(
      fc.property(words, gap, (some, between) => {
        expect(promptHash(toPromptText(some.join(between)))).toBe(promptHash(toPromptText(some.join(' '))));
      }),
    );
  });
});
