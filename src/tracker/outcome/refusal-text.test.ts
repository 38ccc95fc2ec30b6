import { describe, expect, it } from 'vitest';
import { refusalLanguageOf } from './refusal-text.ts';

describe('refusalLanguageOf', () => {
  it.each([
    ['en', "I'm sorry, but I can't assist with that request."],
    ['en', 'I’m sorry, but I cannot help with that.'],
    ['en', 'I cannot provide instructions for that.'],
    ['en', 'As an AI language model, I am unable to generate such content.'],
    ['en', 'I apologize, but I do not feel comfortable writing this. If you have other questions, ask.'],
    ['de', 'Es tut mir leid, aber dabei kann ich Ihnen nicht helfen.'],
    ['de', 'Leider kann ich diese Anfrage nicht beantworten.'],
    ['fr', 'Je suis désolé, mais je ne peux pas vous aider avec cette demande.'],
    ['es', 'Lo siento, pero no puedo ayudarte con eso.'],
    ['it', 'Mi dispiace, ma non posso aiutarti con questa richiesta.'],
    ['pt', 'Desculpe, mas não posso ajudar com isso.'],
    ['nl', 'Het spijt me, maar daar kan ik je niet bij helpen.'],
    ['pl', 'Przepraszam, ale nie mogę w tym pomóc.'],
    ['ru', 'Извините, но я не могу помочь с этим запросом.'],
    ['tr', 'Üzgünüm, bu konuda yardımcı olamam.'],
    ['zh', '抱歉，我无法提供这方面的帮助。'],
    ['zh', '對不起，我無法協助處理這個請求。'],
    ['ja', '申し訳ありませんが、そのご要望にはお答えできません。'],
    ['ko', '죄송하지만 그 요청은 도와드릴 수 없습니다.'],
  ])('hears a refusal in %s: %s', (language, text) => {
    expect(refusalLanguageOf(text)).toBe(language);
  });

  it.each([
    ['sympathy', "I'm so sorry for your friend's loss. You can write to them and say that you care."],
    ['an offer', "I'm sorry, but I cannot browse the internet. However, I can summarize a text you paste."],
    ['a question', "I'm sorry, but I cannot answer this. Could you tell me which book you mean?"],
    ['a question put off', "I'm sorry, but I cannot provide the fare without knowing your destination."],
    ['a poem', 'I cannot help the way I feel about the road up high.'],
    ['an answer about what cannot be', 'Banks cannot use cash as the primary buffer for losses.'],
    ['a disclaimer', 'As an AI, I have no opinions, but the economy grew by two percent in that year.'],
    [
      'a letter of refusal that was asked for',
      'Dear Ms Lee, we are sorry that we cannot offer you the position.',
    ],
    ['a long answer', `I'm sorry, I can't help with that. ${'But this is how it works. '.repeat(40)}`],
    ['a quotation', '"I\'m sorry, I can\'t do that, Dave" is a line from a film of 1968.'],
    ['German sympathy', 'Es tut mir leid, das zu hören. Ruf einen Freund an und sprich darüber.'],
    ['a German offer', 'Leider kann ich dabei nicht helfen, aber hier ist die Nummer der Auskunft.'],
    ['nothing', ''],
  ])('does not take %s for one', (_what, text) => {
    expect(refusalLanguageOf(text)).toBeNull();
  });

  it('stays quick on texts that are made to slow it down', () => {
    for (const text of [
      'sorry, '.repeat(80),
      `${'as an ai '.repeat(60)}x`,
      `lo siento${' no puedo'.repeat(60)}`,
    ]) {
      expect(refusalLanguageOf(text)).toBeNull();
    }
  });
});
