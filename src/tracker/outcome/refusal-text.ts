/**
 * Longest answer that may count as a refusal, in characters. Refusals are short; what is longer has said
 * something of use after its first sentence, and a detector of first sentences would call it a failure.
 */
const REFUSAL_LENGTH_MAX = 600;

/** Characters of the answer's beginning in which it must decline. */
const HEAD_LENGTH = 260;

/** What makes a refusal in one language: its answers begin like this, and offer nothing after it. */
interface RefusalWords {
  readonly language: string;
  /** Anchored at the beginning; repetitions are bounded and never nested, so that no text makes it slow. */
  readonly begins: RegExp;
  /** "However, I can …" or "Could you give more context?" in what follows: no refusal then. */
  readonly offers: RegExp;
}

/** What may stand before an English refusal, one at a time: "I'm sorry, " "but " "as an AI language model, ". */
const OPENING =
  /^(?:(i(?:'m| am) (?:really |very |so )?sorry|sorry|i apologi[sz]e|(?:my )?apologies)(?: for [^.!,]{0,60})?|unfortunately|i'm afraid(?: that)?|as an? (?:[\w-]{1,20} ){0,4}(?:ai|assistant|language model)[^.!?,]{0,60}|upon further reflection|i must inform you that|but|and)[,.!:;]? {0,2}/;

/** Openings that are taken off; nobody apologises more often in earnest. */
const OPENINGS_MAX = 6;

/** With an apology in front of it, what follows "I should not" is the model's own doing. */
const ENGLISH_AFTER_APOLOGY = /^i should(?: not|n't) /;

/** The deeds keep "I cannot help but wonder" and "I cannot find the shop" out. */
const ENGLISH: RefusalWords = {
  language: 'en',
  begins:
    /^i(?:(?: cannot| can't| can not| won't| will not| am not able to| am unable to| must decline to| decline to|'m not able to|'m unable to) (?:\w{1,20} ){0,2}(?:help (?:you|with)|assist|comply|fulfill?|provide|recommend|generate|create|write|answer|offer|support|engage|participate|discuss|share|produce|endorse|complete (?:this|that|your)|do (?:that|this)|respond|continue with|(?:access|browse)[^.!?]{0,60}(?:internet|real-time|current|external|web)|take sides)| (?:do not|don't) feel comfortable|(?: am|'m) not comfortable )/,
  offers:
    /\b(?:however|but|instead|that said|nevertheless)\b[^.!?]{0,60}\b(?:i can|i could|i'd be (?:happy|glad)|here (?:is|are)|here's|you can|you could|you may|it is worth)\b|\bi can (?:try to |certainly |still )?(?:help|offer|provide|suggest|give|summari[sz]e|tell)\b|\b(?:more|additional|further|enough|any) (?:context|details)\b|\bwithout (?:knowing|more|additional|further)\b|\b(?:could|can) you (?:please )?(?:provide|clarify|specify|tell|share|give)\b|\bplease (?:provide|clarify|specify|share)\b|\n *(?:\d{1,2}[.)]|[-*]) /,
};

const OTHERS: readonly RefusalWords[] = [
  {
    language: 'de',
    begins:
      /^(?:(?:es )?tut mir (?:sehr )?leid|entschuldigung|leider|bedauerlicherweise|als (?:ki|sprachmodell))?[^.!?]{0,60}\b(?:kann|darf|werde)\b[^.!?]{0,90}\b(?:nicht|keine[nr]?|nichts)\b[^.!?]{0,60}\b(?:helfen|unterstützen|beantworten|erfüllen|bereitstellen|weiterhelfen|nachkommen|behilflich)/,
    offers:
      /\b(?:aber|jedoch|stattdessen|allerdings) (?:kann ich|hier)\b|\bich kann (?:ihnen |dir )?(?:aber|jedoch|stattdessen)\b/,
  },
  {
    language: 'fr',
    begins:
      /^(?:je suis (?:vraiment )?désolée?|désolée?|je m'excuse|malheureusement|en tant qu'ia)[^.!?]{0,60}je ne (?:peux|puis|suis)[^.!?]{0,20} (?:pas|en mesure)[^.!?]{0,60}(?:aider|assister|répondre|fournir|satisfaire|accéder à (?:cette|votre)|générer|créer|faire cela)/,
    offers: /\b(?:mais|cependant|toutefois|en revanche)[^.!?]{0,40}\bje (?:peux|pourrais)\b/,
  },
  {
    language: 'es',
    begins:
      /^(?:lo siento|lamento|lo lamento|disculpa|disculpe|lamentablemente|perdón)[^.!?]{0,60}no (?:puedo|podré|me es posible|estoy en condiciones de|soy capaz de)[^.!?]{0,40}(?:ayudar|asistir|proporcionar|cumplir|responder|generar|crear|ofrecer|hacer eso|atender)/,
    offers: /\b(?:pero|sin embargo|en cambio)[^.!?]{0,40}\b(?:puedo|podría)\b/,
  },
  {
    language: 'it',
    begins:
      /^(?:mi dispiace|spiacente|purtroppo|mi scuso|scusa)[^.!?]{0,60}non (?:posso|sono in grado di)[^.!?]{0,40}(?:aiutar|assister|fornir|risponder|soddisfar|generar|crear|offrir)/,
    offers: /\b(?:ma|tuttavia|però|invece)[^.!?]{0,40}\b(?:posso|potrei)\b/,
  },
  {
    language: 'pt',
    begins:
      /^(?:desculpe|desculpa|lamento|sinto muito|infelizmente|peço desculpa)[^.!?]{0,60}não (?:posso|consigo|poderei|sou capaz de)[^.!?]{0,40}(?:ajudar|ajudá|auxiliar|fornecer|atender|responder|gerar|criar|oferecer|fazer isso|cumprir)/,
    offers: /\b(?:mas|porém|no entanto|contudo)[^.!?]{0,40}\b(?:posso|poderia)\b/,
  },
  {
    language: 'nl',
    begins:
      /^(?:het spijt (?:me|mij)|sorry|helaas|mijn excuses|mijn verontschuldigingen)[^.!?]{0,60}\bkan\b[^.!?]{0,60}\b(?:niet|geen)\b[^.!?]{0,60}\b(?:helpen|beantwoorden|voldoen|geven|verstrekken|uitvoeren|assisteren)/,
    offers: /\b(?:maar|echter|wel)[^.!?]{0,40}\bkan ik\b|\bik kan (?:wel|u wel|je wel)\b/,
  },
  {
    language: 'pl',
    begins:
      /^(?:przepraszam|przykro mi|niestety)[^.!?]{0,60}nie (?:mogę|jestem w stanie)[^.!?]{0,60}(?:pomóc|odpowiedzieć|spełnić|udzielić|dostarczyć|wygenerować|zrealizować)/,
    offers: /(?:ale|jednak|natomiast)[^.!?]{0,40}mogę/,
  },
  {
    language: 'ru',
    begins:
      /^(?:извините|простите|к сожалению|мне (?:очень )?жаль|сожалею|прошу прощения)[^.!?]{0,60}(?:не могу|не смогу|не в состоянии)[^.!?]{0,60}(?:помочь|помогать|предоставить|выполнить|ответить|обсуждать|создать|сгенерировать)/,
    offers: /(?:но|однако|зато)[^.!?]{0,40}(?:могу|мог бы)/,
  },
  {
    language: 'tr',
    begins:
      /^(?:üzgünüm|maalesef|özür dilerim|kusura bakmayın)[^.!?]{0,90}(?:yardımcı olamam|yardımcı olamıyorum|yardım edemem|yapamam|sağlayamam|yerine getiremem|veremem)/,
    offers: /(?:ama|ancak|fakat)[^.!?]{0,60}(?:bilirim|yardımcı olabilirim)/,
  },
  {
    language: 'zh',
    begins:
      /^(?:我?(?:非常|很|十分)?(?:抱歉|遗憾|遺憾)|对不起|對不起|不好意思)[^。！？]{0,30}(?:无法|無法|不能|没法|沒法|不便|拒绝|拒絕)[^。！？]{0,20}(?:帮|幫|协助|協助|提供|满足|滿足|回答|完成|处理|處理|讨论|討論|生成)/,
    offers: /(?:但|不过|不過|然而)[^。！？]{0,12}(?:可以|能够|能夠)/,
  },
  {
    language: 'ja',
    begins:
      /^(?:大変)?(?:申し訳|すみません|ごめんなさい|恐れ入ります|恐縮)[^。！？]{0,12}[。、]?[^。！？]{0,60}(?:お答え|お手伝い|対応|提供|お応え|ご案内|回答|協力|生成)[^。！？]{0,12}(?:できません|できかねます|いたしかねます|致しかねます)/,
    offers: /(?:ただし|しかし|代わりに)[^。！？]{0,40}(?:できます|可能です)/,
  },
  {
    language: 'ko',
    begins:
      /^(?:정말 |대단히 )?(?:죄송|미안)[^.!?]{0,20}[.,]?[^.!?]{0,60}(?:도와|도움|제공|답변|수행|응답|생성|처리|요청)[^.!?]{0,30}(?:수 없습니다|수 없어요|수가 없습니다|드리기 어렵습니다)/,
    offers: /(?:하지만|그러나|대신)[^.!?]{0,40}(?:수 있습니다|드릴 수 있)/,
  },
];

/**
 * The language of the words by which a short answer declines what it was asked, and does nothing else; null
 * for any other answer. Conservative: it looks at the beginning, leaves long answers alone, and takes an offer
 * ("However, I can …") for an answer. docs/errors.md has its measured precision.
 */
export function refusalLanguageOf(text: string): string | null {
  if (text.length > REFUSAL_LENGTH_MAX) return null;
  const plain = text.trim().replace(/[’‘]/g, "'").toLowerCase();
  if (isEnglishRefusal(plain)) return ENGLISH.language;
  return OTHERS.find((words) => declines(plain, words))?.language ?? null;
}

function isEnglishRefusal(plain: string): boolean {
  let rest = plain;
  let hasApology = false;
  for (let count = 0; count < OPENINGS_MAX; count++) {
    const opening = OPENING.exec(rest);
    if (opening === null) break;
    hasApology ||= opening[1] !== undefined;
    rest = rest.slice(opening[0].length);
  }
  if (hasApology && ENGLISH_AFTER_APOLOGY.test(rest)) return !ENGLISH.offers.test(rest);
  return declines(rest, ENGLISH);
}

function declines(plain: string, { begins, offers }: RefusalWords): boolean {
  const found = begins.exec(plain.slice(0, HEAD_LENGTH));
  // Behind the refusal: "but I cannot" is no offer.
  return found !== null && !offers.test(plain.slice(found[0].length));
}
