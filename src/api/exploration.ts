import { setImmediate } from 'node:timers/promises';
import type { z } from 'zod';
import type { UseCaseExploration } from '../routing/routing-engine.ts';
import { putOperatorSetting } from '../store/queries/operator-settings.ts';
import { errorAnswer, explorationAnswer, explorationBody } from './contract.ts';
import type { ApiDeps } from './deps.ts';
import type { ApiServer } from './server-type.ts';

const tags = ['routing'];

/** How much is explored, where and why, and what it costs. */
export function mountExploration(api: ApiServer, deps: ApiDeps): void {
  const { exploration } = deps;

  api.get(
    '/api/exploration',
    {
      schema: {
        tags,
        summary: 'What is explored, where and why, and what it cost today',
        response: { 200: explorationAnswer },
      },
    },
    async () => answerOf(deps),
  );

  api.put(
    '/api/exploration',
    {
      schema: {
        tags,
        summary: 'Set how much is explored, and how',
        description:
          'What is left out stays. Kept over restarts; it wins over the configuration until it is set again.',
        body: explorationBody,
        response: { 200: explorationAnswer, 400: errorAnswer },
      },
    },
    async ({ body }) => {
      const changedAt = new Date(deps.clock());
      // All of them, as they are then: a change of the configuration must not mix with half of what was set here.
      const value = { ...exploration.settings, ...body };
      await putOperatorSetting(deps.db, { name: 'exploration', value, changedAt, changedBy: 'api' });
      exploration.change(body);
      return answerOf(deps);
    },
  );
}

type Answer = z.infer<typeof explorationAnswer>;

async function answerOf({ exploration, router, clock }: ApiDeps): Promise<Answer> {
  const nowMs = clock();
  const { settings } = exploration;
  const today = exploration.spending(nowMs);
  const { budgetUsdPerDay } = settings;
  const useCases: Answer['useCases'][number][] = [];
  for (const found of router.explorations()) {
    useCases.push({ ...useCaseOf(found), today: exploration.spendingIn(found.useCase, nowMs) });
    // Requests that came in meanwhile go first.
    await setImmediate();
  }
  return {
    ...settings,
    excludedUseCases: [...settings.excludedUseCases],
    today: {
      day: new Date(nowMs).toISOString().slice(0, 10),
      ...today,
      leftUsd: budgetUsdPerDay === null ? null : Math.max(0, budgetUsdPerDay - today.spentUsd),
    },
    useCases,
  };
}

function useCaseOf({ useCase, plan, table }: UseCaseExploration): Omit<Answer['useCases'][number], 'today'> {
  const modelId = table?.rows[0]?.modelId ?? plan.modelIds[0] ?? '';
  if (table === null) {
    return { useCase, modelId, rate: 0, gainPoints: null, reason: 'switched off here', models: [] };
  }
  const { chances, rows, barred } = table;
  const likely =
    chances.probabilityFirst === null ? '' : `best with probability ${chances.probabilityFirst.toFixed(2)}; `;
  return {
    useCase,
    modelId,
    rate: table.rate,
    gainPoints: chances.gainPoints,
    reason:
      chances.settledBecause ?? `${likely}a better choice could gain ${chances.gainPoints.toFixed(1)} points`,
    models: [
      ...rows.map(({ modelId: id, probability, extraUsd, reason }) => ({
        modelId: id,
        probability,
        extraUsd,
        reason,
      })),
      ...barred.map((one) => ({ ...one, probability: 0, extraUsd: null })),
    ],
  };
}
