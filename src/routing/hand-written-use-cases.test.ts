import { describe, expect, it } from 'vitest';
import { ModelCatalog, plainModel } from '../core/model-catalog.ts';
import { RoutingEngine } from './routing-engine.ts';

const model = plainModel('ollama:mistral:7b', { isLocal: true, parameterBillions: 7 });

const engine = new RoutingEngine(
  { catalog: new ModelCatalog([model]), isPriced: () => true, typicalCostUsd: () => 0 },
  {
    useCaseRules: [
      { name: 'by word', useCase: 'refunds', when: { regex: 'refund' } },
      { name: 'by app', useCase: 'crm', when: { header: { name: 'x-app', value: 'crm' } } },
    ],
  },
);

describe('hand-written use cases', () => {
  it('win over the classifier with certainty, also where no run has found them', async () => {
    const decision = await engine.route({ content: 'Translate this refund letter into French' });
    expect(decision).toMatchObject({ useCase: 'refunds', useCaseConfidence: 1, useCaseRule: 'by word' });
    expect(decision.modelIds).toEqual(['ollama:mistral:7b']);
  });

  it('look at the headers that the gateway hands over', async () => {
    const decision = await engine.route({ content: 'Hello', headers: { 'x-app': 'crm' } });
    expect(decision.useCase).toBe('crm');
  });

  it('label a request for a named model too', async () => {
    const decision = await engine.route({ content: 'my refund', model: 'ollama:mistral:7b' });
    expect(decision).toMatchObject({ cause: 'explicit', useCase: 'refunds' });
  });

  it('leave everything else to the classifier', async () => {
    const decision = await engine.route({ content: 'Translate this letter into French' });
    expect(decision).toMatchObject({ useCase: 'translation', useCaseRule: null });
  });
});
