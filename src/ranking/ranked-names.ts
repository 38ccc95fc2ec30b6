import { TallyrankError } from '../core/errors.ts';
import { canonicalModelName } from '../core/model-names.ts';
import type { RankedModel } from '../core/snapshot.ts';

const SUGGESTIONS_MAX = 12;

/**
 * The ranked model that a caller means by `name`: its id, or its name without provider or without tag
 * ("mistral" for "ollama:mistral:7b"), where that is unambiguous.
 *
 * @throws {TallyrankError} `unknown_model` or `ambiguous_model`, listing the ranked models
 */
export function resolveRanked(name: string, modelIds: readonly string[], param = 'model'): string {
  const matches = matchesOf(name, modelIds);
  const [only] = matches;
  if (only !== undefined && matches.length === 1) return only;
  const shown = name.length > 80 ? `${name.slice(0, 80)}…` : name;
  if (matches.length > 1) {
    throw new TallyrankError('ambiguous_model', `"${shown}" could be ${matches.join(', ')}; say which.`, {
      param,
    });
  }
  const known =
    modelIds.length === 0
      ? 'No model has requests there yet.'
      : `Ranked there are: ${modelIds.slice(0, SUGGESTIONS_MAX).join(', ')}.`;
  throw new TallyrankError('unknown_model', `"${shown}" has no requests in this use case. ${known}`, {
    param,
  });
}

/** The same among ranked models themselves. */
export function rankedModel(models: readonly RankedModel[], name: string, param: string): RankedModel {
  const ids = models.map((model) => model.modelId);
  const id = resolveRanked(name, ids, param);
  const model = models.find(({ modelId }) => modelId === id);
  if (model === undefined) throw new RangeError(`${id} was resolved and is not ranked`);
  return model;
}

/** The ranked model of that name when there is exactly one, else the canonical form of the name itself. */
export function canonicalAmong(name: string, modelIds: readonly string[]): string {
  const [only, second] = matchesOf(name, modelIds);
  return only !== undefined && second === undefined ? only : canonicalModelName(name);
}

function matchesOf(name: string, modelIds: readonly string[]): readonly string[] {
  const canonical = canonicalModelName(name);
  for (const form of [(id: string) => id, withoutProvider, withoutTag]) {
    const matches = modelIds.filter((id) => form(id) === name || form(id) === canonical);
    if (matches.length > 0) return matches;
  }
  return [];
}

function withoutProvider(modelId: string): string {
  return modelId.slice(modelId.indexOf(':') + 1);
}

function withoutTag(modelId: string): string {
  return withoutProvider(modelId).split(':', 1)[0] ?? '';
}
