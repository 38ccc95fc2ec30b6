import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { withoutPastedText } from './pasted-text.ts';

const CODE_LINE = '  const total = items.reduce((sum, item) => sum + item.price, 0);';
const code = (lineCount: number): string => Array.from({ length: lineCount }, () => CODE_LINE).join('\n');
const PROSE = 'The committee met in the old town hall and spoke about the harbour for most of the day. ';

describe('withoutPastedText', () => {
  it('leaves a short text as it is', () => {
    const text = 'Why does this fail?\n```js\nlet a = b;\n```\n> quoted';
    expect(withoutPastedText(text)).toBe(text);
  });

  it('reads only what was typed where the client marks it', () => {
    const text = `### Task: use the sources.\n${PROSE.repeat(20)}\n<user_query>Who won?</user_query>`;
    expect(withoutPastedText(text)).toBe('Who won?');
  });

  it('keeps the question and a few lines of a long fenced file', () => {
    const short = withoutPastedText(
      `Why is this slow?\n\n\`\`\`ts\n${code(80)}\n\`\`\`\nAnswer in two sentences.`,
    );
    expect(short).toContain('Why is this slow?');
    expect(short).toContain('```ts\n  const total');
    expect(short).toContain('Answer in two sentences.');
    expect(short.length).toBeLessThan(400);
  });

  it('finds the question below a fence whose beginning was cut off', () => {
    const short = withoutPastedText(`${code(30)}\n\`\`\`\n\nExplain the closure above.`);
    expect(short).toContain('Explain the closure above.');
  });

  it('keeps an example of a few lines whole', () => {
    const example = `\`\`\`py\nfor a in b:\n    print(a)\n\`\`\``;
    expect(withoutPastedText(`${PROSE.repeat(8)}\n${example}`)).toContain(example);
  });

  it('cuts a forwarded mail to its subject and first words, and keeps the request around it', () => {
    const mail = `From: Ann\nSent: Monday\nTo: Bob\nSubject: Delivery is late\n\n${PROSE.repeat(12)}`;
    const short = withoutPastedText(`Write a polite reply.\n\n${mail}\n\nKeep it short, please.`);
    expect(short).toContain('Write a polite reply.');
    expect(short).toContain('Subject: Delivery is late');
    expect(short).toContain('Keep it short, please.');
    expect(short.length).toBeLessThan(420);
  });

  it('cuts quoted lines below an answer', () => {
    const quoted = Array.from({ length: 30 }, () => `> ${PROSE}`).join('\n');
    const short = withoutPastedText(`Decline this.\n\nOn Tue, 3 Mar 2026 at 10:11, Ann wrote:\n${quoted}`);
    expect(short.startsWith('Decline this.')).toBe(true);
    expect(short.length).toBeLessThan(250);
  });

  it('cuts a retrieved document to a sample', () => {
    const short = withoutPastedText(
      `<documents>${PROSE.repeat(40)}</documents>\nWhen was the harbour built?`,
    );
    expect(short).toContain('When was the harbour built?');
    expect(short).toContain('The committee met');
    expect(short.length).toBeLessThan(250);
  });

  it('keeps head and tail of a long passage, with or without paragraphs', () => {
    const passage = PROSE.repeat(30);
    for (const gap of [' ', '\n\n']) {
      const short = withoutPastedText(`Summarise this:${gap}${passage}${gap}In one line.`);
      expect(short.startsWith('Summarise this:') && short.endsWith('In one line.')).toBe(true);
      expect(short.length).toBeLessThanOrEqual(1_210);
    }
  });

  it('is bounded and total for any mixture of fences, quotes, mails and tags', () => {
    const piece = fc.constantFrom(
      '```',
      '~~~~',
      '\n',
      '\n\n',
      '> ',
      'From: a\n',
      'To: b\n',
      'Subject: c\n',
      '-----Original Message-----',
      'On it, he wrote:',
      '<context>',
      '</context>',
      PROSE,
      '漢字',
      'x'.repeat(300),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 80 }), (pieces) => {
        const text = pieces.join('');
        expect(withoutPastedText(text).length).toBeLessThanOrEqual(Math.max(600, 1_300));
      }),
    );
  });
});
