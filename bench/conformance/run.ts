import { checkAnswer } from './answers.ts';
import { readRecordings } from './recordings.ts';
const dir = process.argv[2] ?? '';
const { recordings, skipped } = readRecordings(dir);
console.log(recordings.length, skipped.length);
const faults = new Map<string, string[]>();
let n = 0;
for (const recording of recordings) {
  if (recording.statusCode !== 200) continue;
  try {
    for (const check of await checkAnswer(recording)) {
      n++;
      if (check.fault === null) continue;
      const key = `${recording.protocol} -> ${check.what}: ${check.fault.slice(0, 60)}`;
      faults.set(key, [...(faults.get(key) ?? []), `${recording.provider} ${recording.name}: ${check.fault}`]);
    }
  } catch (error) {
    console.log('ORACLE', recording.protocol, recording.provider, recording.name, String(error));
  }
}
console.log(n);
for (const [key, list] of faults) console.log(key, list.length, '\n    ', list.slice(0, 2).join('\n     '));
