import type { PromptClassifier } from '../../core/classifier.ts';
import { STARTER_USE_CASES } from '../../core/starter-taxonomy.ts';
import { OTHER_USE_CASE, toSlug } from '../../core/use-case.ts';
import { classTfIdf, type WeightedTerm } from '../../stats/tf-idf.ts';
import { WordStems } from './word-stems.ts';

export interface ClusterName {
  /** For people: "Food & Dining". No two alike. */
  readonly name: string;
  readonly slug: string;
  /** Best first. */
  readonly keywords: readonly string[];
}

/** Words of one text that are read: the rest is pasted, and would name the cluster after one document. */
const WORDS_PER_TEXT = 60;
const KEYWORDS_MAX = 8;
/** A pair of words replaces its word in a title when it is what is usually meant: "credit score" for "score". */
const PAIR_SHARE = 0.45;
/** A second title part must be about as telling as the first. */
const SECOND_PART_WEIGHT = 0.35;
/** A cluster is a starter use case when this share of it is, and it holds most of that use case's prompts. */
const STARTER_SHARE = 0.5;
const STARTER_COVERAGE = 0.5;
/** These two are how the starter taxonomy says that it does not know; they name nothing. */
const UNTELLING_STARTERS: ReadonlySet<string> = new Set([OTHER_USE_CASE, 'quick_lookup']);

/**
 * Names clusters from their texts: class-based TF-IDF contrasted with the other clusters; the name of a
 * starter use case where a cluster clearly is one.
 *
 * @param clusters  texts of each cluster, the most typical first
 */
export function nameClusters(
  clusters: readonly (readonly string[])[],
  starter: PromptClassifier,
): ClusterName[] {
  const vocabulary = new Vocabulary();
  const counts = clusters.map((texts) => vocabulary.count(texts));
  const terms = classTfIdf(counts);
  const starters = matchStarters(clusters, starter);
  const slugs = new Set<string>([OTHER_USE_CASE]);
  const titles = new Set<string>();
  return clusters.map((_, at) => {
    const best = vocabulary.surfaced(terms[at] ?? []);
    const keywords = keywordsOf(best, vocabulary.stems);
    const starterName = starters.get(at);
    const title = unused(starterName?.name ?? titleOf(best), best, titles);
    titles.add(title.toLowerCase());
    const slug = toSlug(starterName && title === starterName.name ? starterName.slug : title, slugs);
    slugs.add(slug);
    return { name: title, slug, keywords };
  });
}

/** Counts in how many texts a term stands; forms of one stem are one term, shown as it is mostly written. */
class Vocabulary {
  readonly #surfaces = new Map<string, Map<string, number>>();
  readonly stems = new WordStems();

  count(texts: readonly string[]): Map<string, number> {
    const counts = new Map<string, number>();
    for (const text of texts) {
      for (const term of new Set(this.#termsOf(text))) counts.set(term, (counts.get(term) ?? 0) + 1);
    }
    // What stands in one text of many says nothing of the cluster.
    if (texts.length >= 12) for (const [term, count] of counts) if (count < 2) counts.delete(term);
    return counts;
  }

  surfaced(terms: readonly WeightedTerm[]): WeightedTerm[] {
    return terms.map((entry) => {
      const forms = [...(this.#surfaces.get(entry.term) ?? [])].sort((a, b) => b[1] - a[1]);
      return { ...entry, term: forms[0]?.[0] ?? entry.term };
    });
  }

  *#termsOf(text: string): Generator<string> {
    let previous: string | null = null;
    for (const word of wordsOf(text)) {
      const isTelling =
        !STOP_WORDS.has(word) && (word.length > 2 || NO_SPACES.test(word)) && !/^\p{N}+$/u.test(word);
      if (!isTelling) {
        previous = null;
        continue;
      }
      yield this.#key(word);
      if (previous !== null && previous !== word) yield this.#key(`${previous} ${word}`);
      previous = word;
    }
  }

  #key(surface: string): string {
    const key = this.stems.ofTerm(surface);
    const forms = this.#surfaces.get(key) ?? new Map<string, number>();
    forms.set(surface, (forms.get(surface) ?? 0) + 1);
    this.#surfaces.set(key, forms);
    return key;
  }
}

function wordsOf(text: string): string[] {
  const folded = text.slice(0, 2_000).normalize('NFKC').toLowerCase().replaceAll('’', "'");
  const words = folded.match(/[\p{L}\p{N}]+(?:[+#]{1,2}|'\p{L}+)?/gu) ?? [];
  return words.slice(0, WORDS_PER_TEXT).map((word) => word.replace(/'s$/, ''));
}

const NO_SPACES = /[぀-ヿ㐀-鿿가-힯]/;

function keywordsOf(terms: readonly WeightedTerm[], stems: WordStems): string[] {
  const kept: string[] = [];
  for (const { term } of terms) {
    if (kept.length === KEYWORDS_MAX) break;
    if (!kept.some((other) => sharesWord(stems.ofTerm(other), stems.ofTerm(term)))) kept.push(term);
  }
  return kept;
}

function sharesWord(a: string, b: string): boolean {
  const words = new Set(a.split(' '));
  return b.split(' ').some((word) => words.has(word));
}

function titleOf(terms: readonly WeightedTerm[]): string {
  const [first] = terms;
  if (first === undefined) return 'Mixed';
  const head = longerForm(first, terms);
  const second = terms.find(
    ({ term, weight }) => weight >= first.weight * SECOND_PART_WEIGHT && !sharesWord(head, term),
  );
  const parts =
    second === undefined
      ? [head]
      : [
          head,
          longerForm(
            second,
            terms.filter(({ term }) => !sharesWord(head, term)),
          ),
        ];
  return parts.map(titleCase).join(' & ');
}

/** The pair of words that a word mostly stands in, else the word. */
function longerForm(entry: WeightedTerm, terms: readonly WeightedTerm[]): string {
  if (entry.term.includes(' ')) return entry.term;
  const pair = terms.find(
    ({ term, count }) =>
      term.includes(' ') && sharesWord(term, entry.term) && count >= PAIR_SHARE * entry.count,
  );
  return pair?.term ?? entry.term;
}

function titleCase(term: string): string {
  return term.replace(/(^|\s)(\p{L})/gu, (_, space: string, letter: string) => space + letter.toUpperCase());
}

/** A title that is taken gets the next telling term; numbers are the last resort. */
function unused(title: string, terms: readonly WeightedTerm[], taken: ReadonlySet<string>): string {
  if (!taken.has(title.toLowerCase())) return title;
  for (const { term } of terms) {
    const longer = `${title} & ${titleCase(term)}`;
    if (!sharesWord(title.toLowerCase(), term) && !taken.has(longer.toLowerCase())) return longer;
  }
  for (let n = 2; ; n++) if (!taken.has(`${title} ${n}`.toLowerCase())) return `${title} ${n}`;
}

function matchStarters(
  clusters: readonly (readonly string[])[],
  starter: PromptClassifier,
): Map<number, { name: string; slug: string }> {
  const totals = new Map<string, number>();
  const byCluster = clusters.map((texts) => {
    const counts = new Map<string, number>();
    for (const text of texts) {
      const { useCase } = starter.classify(text);
      counts.set(useCase, (counts.get(useCase) ?? 0) + 1);
      totals.set(useCase, (totals.get(useCase) ?? 0) + 1);
    }
    return counts;
  });
  const matched = new Map<number, { name: string; slug: string }>();
  byCluster.forEach((counts, at) => {
    const size = clusters[at]?.length ?? 0;
    const [slug, count] = [...counts].sort((a, b) => b[1] - a[1])[0] ?? ['', 0];
    const known = STARTER_USE_CASES.find((useCase) => useCase.slug === slug);
    if (!known || UNTELLING_STARTERS.has(slug)) return;
    if (count >= STARTER_SHARE * size && count >= STARTER_COVERAGE * (totals.get(slug) ?? 0))
      matched.set(at, known);
  });
  return matched;
}

/** Words without a topic, and the ones that every prompt has: who asks, please, tell me. */
const STOP_WORDS: ReadonlySet<string> = new Set(
  `a about above after again all also am an and any anyone are aren't as at be because been before being below between both
  but by can can't cannot could couldn't did didn't do does doesn't doing don't done down during each either else ever every
  few for from further get gets getting give given go goes going gonna got had has hasn't have haven't having he her here
  hers him his how however i i'd i'll i'm i've if in into is isn't it its itself just know let like likely ll look looking
  make makes making many may me might mine more most much must my myself need needed needs never no nor not now of
  off okay on once one ones only or other others our ours out over own per please put quite rather re really said same
  say see seem she should shouldn't show since so some someone something still such sure take tell than that
  that'd the their theirs them then there these they thing things this those through to together too two under until up
  upon us use used using ve very via wanna want wanted wants was wasn't way we we'd we're we've well were weren't what
  whatever when where whether which while who whom whose why will with without won't would wouldn't yet you you'd
  you'll you're you've your yours yourself ask asked answer following based help question try trying come came possible
  able first second new good best able provide include including explain describe write create generate
  https http com www url link different example list assistant instruction instructions input output task`
    .split(/\s+/)
    .filter((word) => word !== ''),
);
