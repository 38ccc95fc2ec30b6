import { StarterClassifier } from '../../core/starter-taxonomy.ts';
import { OTHER_USE_CASE } from '../../core/use-case.ts';
import type { StoredUseCase } from '../../store/queries/discovery-runs.ts';
import type { DistinctPrompt } from '../../store/queries/distinct-prompts.ts';
import type { FoundUseCase } from '../../store/queries/found-use-cases.ts';
import type { OperatorEdits } from '../edits/operator-edits.ts';
import { cosineOf } from '../identity/match-identity.ts';
import { isFreeOfPersonalData, redact } from '../redact.ts';
import { nameClusters } from './name-clusters.ts';
import { computeThemes } from './themes.ts';

/** A distinct prompt with all that a run made of it. */
export interface LabelledPrompt extends DistinctPrompt {
  /** What was embedded and is classified. */
  readonly text: string;
  readonly foundSlug: string;
  readonly shownSlug: string;
  /** Cosine to the centre; the most typical prompts are the examples. */
  readonly similarity: number;
}

export interface DescribeOptions {
  readonly found: readonly FoundUseCase[];
  readonly edits: OperatorEdits;
  /** Who asked each prompt, by prompt hash. */
  readonly users: ReadonlyMap<string, readonly string[]>;
  /** True as soon as the log knows two users: then what only one of them asked is shown to nobody. */
  readonly isShared: boolean;
}

/** Fewer distinct prompts or users, and an example or a keyword would be somebody's own words. */
const SHOWN_PROMPTS_MIN = 5;
const SHOWN_USERS_MIN = 2;
const EXAMPLES_MAX = 5;
const EXAMPLE_LENGTH_MAX = 240;
/** Texts of a use case that name it: the most typical ones. */
export const NAMING_TEXTS_MAX = 400;

/** The use cases that a run shows: what was found, as the operator renamed, merged, split and pinned it. */
export function describeUseCases(
  prompts: readonly LabelledPrompt[],
  options: DescribeOptions,
): StoredUseCase[] {
  const { found, edits } = options;
  const groups = new Map<string, LabelledPrompt[]>();
  for (const { slug } of found) {
    const shown = edits.movedSlug(slug);
    // What was pinned is listed even when nobody asks for it.
    if (edits.pinned.has(shown)) groups.set(shown, []);
  }
  for (const prompt of prompts) {
    const group = groups.get(prompt.shownSlug);
    if (group) group.push(prompt);
    else groups.set(prompt.shownSlug, [prompt]);
  }
  const outside = groups.get(OTHER_USE_CASE);
  groups.delete(OTHER_USE_CASE);
  const shown = [...groups].map(([slug, members]) => ({
    slug,
    members: members.sort((a, b) => b.similarity - a.similarity),
  }));
  const made = nameClusters(
    shown.map(({ members }) => members.slice(0, NAMING_TEXTS_MAX).map(({ text }) => redact(text))),
    new StarterClassifier(),
  );
  const titles = new Set<string>();
  const useCases = shown.map(({ slug, members }, at): StoredUseCase => {
    const parts = partsOf(slug, members, options);
    const wanted = edits.names.get(slug) ?? parts[0]?.name ?? made[at]?.name ?? slug;
    // Two found names may meet where one of them was merged away and the other not.
    const name = titles.has(wanted.toLowerCase()) ? `${wanted} (${slug})` : wanted;
    titles.add(name.toLowerCase());
    return {
      slug,
      name,
      ...shownTexts(members, made[at]?.keywords ?? [], options),
      ...countsOf(members),
      ...(edits.pinned.has(slug) ? { isPinned: true } : {}),
      centroid: meanCentroid(parts, members),
    };
  });
  const themes = computeThemes(useCases);
  const byModel = new Map(found.map(({ slug, description }) => [slug, description]));
  const themed = useCases.map((useCase): StoredUseCase => {
    const theme = themes.get(useCase.slug);
    // Where no words may be shown there are no keywords, and nobody's words make a description.
    const hasWords = useCase.keywords.length > 0;
    const description = hasWords ? (byModel.get(useCase.slug) ?? describeByWords(useCase, useCases)) : null;
    return {
      ...useCase,
      ...(theme === undefined ? {} : { theme }),
      ...(description === null ? {} : { description }),
    };
  });
  return outside === undefined ? themed : [...themed, describeOther(outside, options)];
}

const DESCRIBED_KEYWORDS_MAX = 4;

/** What its prompts speak of, and what the use case nearest to it speaks of instead. */
function describeByWords(useCase: StoredUseCase, all: readonly StoredUseCase[]): string {
  const own = useCase.keywords.slice(0, DESCRIBED_KEYWORDS_MAX);
  const about = `Prompts about ${listed(own)}.`;
  const [nearest] = all
    .filter(({ slug, centroid }) => slug !== useCase.slug && centroid.length === useCase.centroid.length)
    .map((other) => ({ other, similarity: cosineOf(other.centroid, useCase.centroid) }))
    .sort((a, b) => b.similarity - a.similarity);
  const others = nearest?.other.keywords.filter((word) => !useCase.keywords.includes(word)) ?? [];
  if (nearest === undefined || others.length === 0) return about;
  return `${about} Nearest to it is ${nearest.other.name}, about ${listed(others.slice(0, DESCRIBED_KEYWORDS_MAX - 1))}.`;
}

/** "a, b and c". */
function listed(words: readonly string[]): string {
  return words.length < 2 ? words.join() : `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`;
}

/** "Other" is listed like a use case, so that its share is seen; it has no centre. */
function describeOther(members: readonly LabelledPrompt[], options: DescribeOptions): StoredUseCase {
  return {
    slug: OTHER_USE_CASE,
    name: 'Other',
    ...shownTexts(members, [], options),
    ...countsOf(members),
    centroid: new Float32Array(0),
  };
}

/** The found use cases that a shown one is made of; the one that it is the continuation of comes first. */
function partsOf(
  slug: string,
  members: readonly LabelledPrompt[],
  { found, edits }: DescribeOptions,
): FoundUseCase[] {
  const counts = new Map<string, number>();
  for (const { foundSlug } of members) counts.set(foundSlug, (counts.get(foundSlug) ?? 0) + 1);
  const isOwn = (part: FoundUseCase): boolean =>
    edits.movedSlug(part.slug) === slug && !edits.isMergedAway(part.slug);
  return found
    .filter((part) => counts.has(part.slug) || isOwn(part))
    .sort(
      (a, b) => Number(isOwn(b)) - Number(isOwn(a)) || (counts.get(b.slug) ?? 0) - (counts.get(a.slug) ?? 0),
    );
}

/** True when enough prompts, and enough users where there are several, stand behind a use case to show its words. */
export function mayShowTexts(
  members: readonly Pick<DistinctPrompt, 'promptHash'>[],
  { users, isShared }: Pick<DescribeOptions, 'users' | 'isShared'>,
): boolean {
  const askers = new Set(members.flatMap(({ promptHash }) => users.get(promptHash) ?? []));
  return members.length >= SHOWN_PROMPTS_MIN && (!isShared || askers.size >= SHOWN_USERS_MIN);
}

function shownTexts(
  members: readonly LabelledPrompt[],
  keywords: readonly string[],
  { users, isShared }: DescribeOptions,
): Pick<StoredUseCase, 'examplePrompts' | 'keywords'> {
  if (!mayShowTexts(members, { users, isShared })) return { examplePrompts: [], keywords: [] };
  return {
    examplePrompts: members.slice(0, EXAMPLES_MAX).map(({ prompt }) => clipExample(redact(prompt))),
    keywords: keywords.filter(isFreeOfPersonalData),
  };
}

function countsOf(
  members: readonly LabelledPrompt[],
): Pick<StoredUseCase, 'sampleCount' | 'distinctPromptCount' | 'typicalLength'> {
  const lengths = members.reduce((sum, { prompt }) => sum + prompt.length, 0);
  return {
    sampleCount: members.reduce((sum, { requestCount }) => sum + requestCount, 0),
    distinctPromptCount: members.length,
    typicalLength: members.length === 0 ? null : lengths / members.length,
  };
}

/** Of the parts' centres, by their prompts here; unit length, empty when no part has one. */
function meanCentroid(parts: readonly FoundUseCase[], members: readonly LabelledPrompt[]): Float32Array {
  const placed = parts.filter(({ centroid }) => centroid.length > 0);
  const mean = new Float32Array(placed[0]?.centroid.length ?? 0);
  for (const { slug, centroid } of placed) {
    const weight = Math.max(1, members.filter(({ foundSlug }) => foundSlug === slug).length);
    for (let at = 0; at < mean.length; at++) {
      mean[at] = (mean[at] as number) + weight * (centroid[at] ?? 0);
    }
  }
  const length = Math.hypot(...mean);
  return length === 0 ? mean : mean.map((value) => value / length);
}

/** As much of a prompt as an example shows. */
export function clipExample(text: string): string {
  return text.length > EXAMPLE_LENGTH_MAX ? `${text.slice(0, EXAMPLE_LENGTH_MAX)}…` : text;
}
