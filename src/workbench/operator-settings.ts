import { parseExploration } from '../config/exploration-settings.ts';
import { parseRoutingRules } from '../config/routing-rules.ts';
import type { Config } from '../config/schema.ts';
import type { KeptRules } from '../core/routing-rules.ts';
import { dayStartMsOf } from '../routing/exploration-budget.ts';
import { type Explored, exploredSince } from '../store/queries/explored.ts';
import { operatorSetting, putOperatorSetting } from '../store/queries/operator-settings.ts';
import type { Workbench } from '../workbench.ts';

/*
 * What an operator sets while the program runs, kept in the store and followed by all gateways; it wins over the
 * configuration.
 */

const RULES_SETTING = 'routing_rules';

/**
 * The operator's routing rules: those that were set, else the configuration's.
 *
 * @throws {TallyrankError} `bad_request` when what was set has faults for this version of the program
 */
export async function readRules({ db, config }: Pick<Workbench, 'db' | 'config'>): Promise<KeptRules> {
  const kept = await operatorSetting(db, RULES_SETTING);
  if (kept === null) return { origin: 'configuration', rules: config.routingRules };
  return { origin: 'operator', rules: parseRoutingRules(kept) };
}

/**
 * Keeps routing rules in place of the configuration's; null goes back to those. Gateways follow within seconds.
 *
 * @throws {TallyrankError} `bad_request` with every fault
 */
export async function keepRules(
  bench: Pick<Workbench, 'db' | 'config' | 'clock'>,
  rules: unknown,
  changedBy: 'api' | 'cli',
): Promise<KeptRules> {
  const value = rules === null ? null : parseRoutingRules(rules);
  const changedAt = new Date(bench.clock());
  await putOperatorSetting(bench.db, { name: RULES_SETTING, value, changedAt, changedBy });
  return value === null
    ? { origin: 'configuration', rules: bench.config.routingRules }
    : { origin: 'operator', rules: value };
}

const EXPLORATION_SETTING = 'exploration';

export interface ExplorationState {
  readonly origin: 'configuration' | 'operator';
  readonly settings: Config['exploration'];
  /** What all gateways of the store explored since midnight UTC, as far as it was logged. */
  readonly today: Explored;
}

/**
 * Exploration as it was set, else as configured.
 *
 * @throws {TallyrankError} `bad_request` when another version set what this one refuses
 */
export async function readExploration(
  bench: Pick<Workbench, 'db' | 'config' | 'clock'>,
): Promise<ExplorationState> {
  const { db, config, clock } = bench;
  const kept = await operatorSetting(db, EXPLORATION_SETTING);
  return {
    origin: kept === null ? 'configuration' : 'operator',
    settings: kept === null ? config.exploration : parseExploration({ ...config.exploration, ...kept }),
    today: await exploredSince(db, new Date(dayStartMsOf(clock()))),
  };
}

/**
 * Sets what `change` holds and keeps the rest. Gateways follow within a minute.
 *
 * @throws {TallyrankError} `bad_request` with every fault
 */
export async function keepExploration(
  bench: Pick<Workbench, 'db' | 'config' | 'clock'>,
  change: object,
  changedBy: 'api' | 'cli',
): Promise<ExplorationState> {
  const { settings, today } = await readExploration(bench);
  // All of them, as they are then: a change of the configuration must not mix with half of what was set here.
  const value = parseExploration({ ...settings, ...change });
  const changedAt = new Date(bench.clock());
  await putOperatorSetting(bench.db, { name: EXPLORATION_SETTING, value, changedAt, changedBy });
  return { origin: 'operator', settings: value, today };
}
