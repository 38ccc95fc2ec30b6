import type { Classification } from '../core/classifier.ts';
import type { Decision } from '../core/decision.ts';
import type { Policy } from '../core/policy.ts';
import type { Snapshot } from '../core/snapshot.ts';
import { MODEL_IDS_MAX, type Plan } from './plan.ts';

/** What every decision about one message says. */
export interface Frame {
  readonly snapshot: Snapshot;
  readonly classification: Classification;
  readonly useCaseRule: string | null;
  readonly policy: Policy;
}

export function explicitDecision(frame: Frame, modelId: string): Decision {
  return {
    ...certainDecision(frame, [modelId]),
    cause: 'explicit',
    policy: null,
    reason: `The caller named ${modelId}.`,
  };
}

export function ruleDecision(frame: Frame, ruleName: string, modelIds: readonly string[]): Decision {
  return {
    ...certainDecision(frame, modelIds),
    cause: 'rule',
    ruleName,
    reason: `The rule "${ruleName}" chose ${modelIds[0]}.`,
  };
}

/** A decision in which nothing was left to chance. Its models are the only ones: who names a model, or rules one in, does not mean others. */
function certainDecision(frame: Frame, modelIds: readonly string[]): Omit<Decision, 'cause' | 'reason'> {
  return {
    ruleName: null,
    policy: frame.policy.name,
    useCase: frame.classification.useCase,
    useCaseConfidence: frame.classification.confidence,
    useCaseRule: frame.useCaseRule,
    modelIds,
    candidates: [],
    propensity: 1,
    isExploration: false,
    shadowModelId: null,
    runId: frame.snapshot.runId,
    snapshotVersion: frame.snapshot.version,
  };
}

export function chosenFirst(modelId: string, plan: Plan): readonly string[] {
  if (plan.modelIds[0] === modelId) return plan.firstIds;
  return [modelId, ...plan.firstIds.filter((id) => id !== modelId)].slice(0, MODEL_IDS_MAX);
}
