import { cosineOf } from '../identity/match-identity.ts';

/** What a theme is made of. */
export interface ThemeMember {
  readonly slug: string;
  readonly name: string;
  /** Best first. */
  readonly keywords: readonly string[];
  /** Empty for a use case without a centre: it belongs to no theme. */
  readonly centroid: Float32Array;
  readonly sampleCount: number;
}

/** Fewer use cases need no second level. */
const MEMBERS_MIN = 4;
/** Groups that are less alike than this stay apart, even if that makes more themes than wanted. */
const SIMILARITY_MIN = 0.05;
const NAME_PARTS_MAX = 2;

/**
 * The second level: about sqrt(n) themes over n use cases, by agglomerative clustering of their centres with
 * average linkage (UPGMA, Sokal and Michener 1958) on the cosine. A theme is named by the terms that its use
 * cases share, else by its largest use cases.
 *
 * @returns name of the theme per slug; empty with fewer than four use cases
 */
export function computeThemes(members: readonly ThemeMember[]): Map<string, string> {
  const placed = members.filter(({ centroid }) => centroid.some((value) => value !== 0));
  if (placed.length < MEMBERS_MIN) return new Map();
  const groups = linkByAverage(placed, Math.round(Math.sqrt(placed.length)));
  const taken = new Set<string>();
  const themes = new Map<string, string>();
  for (const group of groups.sort((a, b) => sizeOf(b) - sizeOf(a))) {
    const name = nameOf(group, taken);
    taken.add(name.toLowerCase());
    for (const { slug } of group) themes.set(slug, name);
  }
  return themes;
}

function linkByAverage(members: readonly ThemeMember[], wantedCount: number): ThemeMember[][] {
  const groups = members.map((member) => [member]);
  const similarities = members.map((a) => members.map((b) => cosineOf(a.centroid, b.centroid)));
  while (groups.length > wantedCount) {
    let best: [number, number] = [-1, -1];
    let bestSimilarity = SIMILARITY_MIN;
    for (let a = 0; a < groups.length; a++) {
      for (let b = a + 1; b < groups.length; b++) {
        const similarity = similarities[a]?.[b] ?? 0;
        if (similarity > bestSimilarity) [best, bestSimilarity] = [[a, b], similarity];
      }
    }
    const [kept, gone] = best;
    if (kept < 0) break;
    joinRows(similarities, kept, gone, groups[kept]?.length ?? 1, groups[gone]?.length ?? 1);
    groups[kept]?.push(...(groups[gone] ?? []));
    groups.splice(gone, 1);
  }
  return groups;
}

/** Average linkage by Lance and Williams: the joined group's similarity is the mean over all pairs. */
function joinRows(
  similarities: number[][],
  kept: number,
  gone: number,
  keptSize: number,
  goneSize: number,
): void {
  const joined = similarities.map((row) => {
    return ((row[kept] ?? 0) * keptSize + (row[gone] ?? 0) * goneSize) / (keptSize + goneSize);
  });
  similarities.forEach((row, at) => {
    row[kept] = joined[at] ?? 0;
    row.splice(gone, 1);
  });
  similarities[kept] = joined.filter((_, at) => at !== gone);
  similarities.splice(gone, 1);
}

function sizeOf(group: readonly ThemeMember[]): number {
  return group.reduce((sum, { sampleCount }) => sum + sampleCount, 0);
}

/** Words that stand in most use cases of the group; where there are none, its two largest by name. */
function nameOf(group: readonly ThemeMember[], taken: ReadonlySet<string>): string {
  const bySize = group.toSorted((a, b) => b.sampleCount - a.sampleCount || (a.slug < b.slug ? -1 : 1));
  const shared = group.length === 1 ? [] : sharedTerms(bySize);
  const parts =
    shared.length > 0 ? shared.map(titleCase) : bySize.slice(0, NAME_PARTS_MAX).map(({ name }) => name);
  const wanted = parts.slice(0, NAME_PARTS_MAX).join(shared.length > 0 ? ' & ' : ', ');
  const fallback = bySize.map(({ name }) => name).join(', ');
  const free = [wanted, fallback].find((name) => !taken.has(name.toLowerCase()));
  return free ?? `${wanted} (${bySize[0]?.slug ?? ''})`;
}

function sharedTerms(group: readonly ThemeMember[]): string[] {
  const counts = new Map<string, number>();
  for (const { name, keywords } of group) {
    const words = [...keywords, name].flatMap((term) => term.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []);
    for (const word of new Set(words)) counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  const countMin = Math.max(2, Math.ceil(group.length / 2));
  return [...counts]
    .filter(([word, count]) => count >= countMin && word.length > 2)
    .sort((a, b) => b[1] - a[1])
    .map(([word]) => word);
}

function titleCase(word: string): string {
  return word.replace(/^\p{L}/u, (letter) => letter.toUpperCase());
}
