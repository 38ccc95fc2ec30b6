import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PROMPTS_BY_LANGUAGE } from '../../tests/kit/prompts-by-language.ts';
import { languageOf } from './language.ts';

describe('languageOf', () => {
  it.each(Object.entries(PROMPTS_BY_LANGUAGE))('knows prompts in %s', (language, topics) => {
    const prompts = Object.values(topics).flat();
    const others = prompts.filter((prompt) => languageOf(prompt) !== language);
    // Two or three words may be of any Latin language.
    expect(others.length, others.join(' | ')).toBeLessThanOrEqual(1);
  });

  it.each([
    ['Quel temps fait-il demain à Paris ?', 'fr'],
    ['¿Cómo puedo pedir un reembolso?', 'es'],
    ['Come posso chiedere un rimborso per il mio ordine?', 'it'],
    ['Como posso pedir um reembolso para o meu pedido?', 'pt'],
    ['Hoe kan ik mijn geld terug krijgen voor deze bestelling?', 'nl'],
    ['Hur får jag tillbaka pengarna för min order?', 'sv'],
    ['Bu kod için nasıl bir test yazarım?', 'tr'],
    ['환불은 어떻게 받나요?', 'ko'],
    ['Why does `für` print as fÃ¼r in my Python code?', 'en'],
    ['Translate "Guten Morgen" into English for me please', 'en'],
    ['Translate 你好 to English, what is the meaning of it?', 'en'],
    ['42', null],
    ['iPhone 15', null],
    ['', null],
  ])('reads %s as %s', (text, language) => {
    expect(languageOf(text)).toBe(language);
  });

  it('is total', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 100 }), (text) => {
        expect(languageOf(text) ?? 'en').toMatch(/^[a-z]{2}$/);
      }),
    );
  });
});
