import type { Database } from '../database.ts';

const SETTING = `SELECT value FROM operator_settings FINAL WHERE name = {name:String}`;

/** What did an operator set under this name? null when nobody did. Reads `operator_settings`. */
export async function operatorSetting(db: Database, name: string): Promise<unknown> {
  const [row] = await db.query<{ value: string }>(SETTING, { name });
  return row === undefined ? null : (JSON.parse(row.value) as unknown);
}

/** Keeps a setting, as JSON; the one with the latest `changedAt` counts. */
export async function putOperatorSetting(
  db: Database,
  setting: {
    readonly name: string;
    readonly value: unknown;
    readonly changedAt: Date;
    /** Who set it, e.g. the id of a key; never the key itself. */
    readonly changedBy: string;
  },
): Promise<void> {
  await db.insertRows('operator_settings', [
    {
      name: setting.name,
      value: JSON.stringify(setting.value),
      changed_at: setting.changedAt,
      changed_by: setting.changedBy,
    },
  ]);
}
