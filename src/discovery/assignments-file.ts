import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import type { Database } from '../store/database.ts';
import { streamLabelledPrompts } from '../store/queries/labelled-prompts.ts';

/**
 * Writes the use case of every distinct prompt of the log, a JSON line each.
 *
 * @returns the number of lines
 */
export async function writeAssignments(db: Database, file: string): Promise<number> {
  const output = createWriteStream(file);
  let lineCount = 0;
  for await (const rows of streamLabelledPrompts(db)) {
    const lines = rows.map(({ prompt, useCase }) => `${JSON.stringify({ prompt, useCase })}\n`);
    lineCount += lines.length;
    if (!output.write(lines.join(''))) await once(output, 'drain');
  }
  output.end();
  await once(output, 'finish');
  return lineCount;
}
