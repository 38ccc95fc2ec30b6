/** Letters of a script that one language (or a close family) writes, in the order in which they are asked. */
const SCRIPTS: readonly (readonly [language: string, letters: RegExp])[] = [
  // Kana before Han: Japanese writes both.
  ['ja', /[\p{Script=Hiragana}\p{Script=Katakana}]/gu],
  ['zh', /\p{Script=Han}/gu],
  ['ko', /\p{Script=Hangul}/gu],
  ['ru', /\p{Script=Cyrillic}/gu],
  ['ar', /\p{Script=Arabic}/gu],
  ['he', /\p{Script=Hebrew}/gu],
  ['el', /\p{Script=Greek}/gu],
  ['th', /\p{Script=Thai}/gu],
  ['hi', /\p{Script=Devanagari}/gu],
];
const LETTERS = /\p{L}/gu;
/** Share of a text's letters from which its script says the language: code and names in it are Latin anyway. */
const SCRIPT_SHARE_MIN = 0.25;
/** Japanese has some kana in every sentence, Chinese none. */
const KANA_SHARE_MIN = 0.1;
const TEXT_LENGTH_MAX = 400;

/** The most frequent words that no other of these languages writes the same, with few exceptions. */
const FUNCTION_WORDS: Readonly<Record<string, string>> = {
  en: 'the and you what how is are my for with this that can do does i of to it be have please your would should from not will when why where which write make give',
  de: 'der das und ich nicht ist ein eine einen wie wird für mit mein meine meinen bitte auf zu den dem im von sind werden kann warum wann welche mir sie es dieser diese schreibe auch oder über',
  fr: 'le la les des et je est une pour avec dans que qui comment mon ma mes pas vous du au ce cette sur quel quelle puis sont écris moi ne plus',
  es: 'el los las y que es una para con mi cómo qué por del se está este esta cuál cuándo puedo quiero escribe hacer al lo más son',
  it: 'il gli di che è per con una sono come mi non della del questo questa quando perché posso vorrei scrivi nel fare alla quale',
  pt: 'o os um uma para com não como meu minha que é da em por quando posso quero escreva fazer este esta qual mais são eu você',
  nl: 'de het een en ik niet is hoe mijn voor met van dat wat kan wanneer waarom naar op deze dit schrijf worden zijn ook aan',
  pl: 'w nie na się jak jest moje moja dla z czy mogę kiedy dlaczego napisz proszę które od',
  tr: 've bir bu için nasıl ne mi benim ile ben çok var nedir olarak zaman neden yaz lütfen',
  sv: 'och att det är jag inte en ett hur min mitt för med på som kan när varför skriv vad den av',
};
const WORD_LANGUAGES: ReadonlyMap<string, readonly string[]> = wordLanguages();
/** Letters with marks that English words hardly have. */
const MARKED = /[à-öø-ÿāăąćčďđęěğıłńňőœřśşšťůűźżž]/iu;

/**
 * Language of a prompt as a two-letter code, by its script or its function words; null when it shows neither
 * (then English is the better guess for most logs). A heuristic of microseconds: it tells which vectors can be
 * trusted, not more.
 */
export function languageOf(text: string): string | null {
  const looked = text.slice(0, TEXT_LENGTH_MAX).normalize('NFC');
  return languageOfScript(looked) ?? languageOfWords(looked);
}

function languageOfScript(text: string): string | null {
  // Most prompts: nothing beyond Latin.
  if (!/[^\0-\u024f\u2000-\u206f]/.test(text)) return null;
  const letterCount = text.match(LETTERS)?.length ?? 0;
  for (const [language, letters] of SCRIPTS) {
    const share = (text.match(letters)?.length ?? 0) / Math.max(1, letterCount);
    if (share >= (language === 'ja' ? KANA_SHARE_MIN : SCRIPT_SHARE_MIN)) return language;
  }
  return null;
}

function languageOfWords(text: string): string | null {
  const counts = new Map<string, number>();
  const words = text.toLowerCase().match(/\p{L}+/gu) ?? [];
  for (const word of words) {
    for (const language of WORD_LANGUAGES.get(word) ?? [])
      counts.set(language, (counts.get(language) ?? 0) + 1);
  }
  const [best, second] = [...counts].sort((a, b) => b[1] - a[1]);
  if (best === undefined) return MARKED.test(text) ? 'xx' : null;
  // A tie is decided for English, unless marks speak against it.
  if (second !== undefined && second[1] === best[1]) {
    const isEnglish = (counts.get('en') ?? 0) === best[1];
    if (isEnglish) return MARKED.test(text) && best[1] < 2 ? (best[0] === 'en' ? second[0] : best[0]) : 'en';
  }
  // One word is little: "die" and "do" are English too.
  if (best[1] < 2 && best[0] !== 'en' && words.length > 3 && !MARKED.test(text)) return null;
  return best[0];
}

function wordLanguages(): Map<string, string[]> {
  const languages = new Map<string, string[]>();
  for (const [language, words] of Object.entries(FUNCTION_WORDS)) {
    for (const word of words.split(' ')) {
      const known = languages.get(word);
      if (known === undefined) languages.set(word, [language]);
      else known.push(language);
    }
  }
  return languages;
}
