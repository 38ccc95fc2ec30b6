import * as fs from 'node:fs';

/*
 * A writer's folder is called `<writer id>@<pid>.<start>`: the name is the claim, so a rename hands the
 * folder over in one step, and a process that died can be told from one that lives. `@0.0` is nobody's.
 */

export interface JournalOwner {
  readonly writerId: string;
  readonly isAlive: boolean;
}

/** Folder name by which this process claims the journal of `writerId`. */
export function ownName(writerId: string): string {
  return `${writerId}@${process.pid}.${startOf(process.pid) ?? 0}`;
}

/** Folder name of a journal that nobody owns. */
export function releasedName(writerId: string): string {
  return `${writerId}@0.0`;
}

/** Who claims a folder of that name; null for names that are not a journal's. */
export function ownerOf(name: string): JournalOwner | null {
  const match = /^([0-9a-f]{16})@(\d+)\.(\d+)$/.exec(name);
  if (!match) return null;
  const [, writerId = '', pid = '', start = ''] = match;
  return { writerId, isAlive: isAlive(Number(pid), Number(start)) };
}

function isAlive(pid: number, start: number): boolean {
  if (pid === 0) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: it lives, under another user.
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
  }
  // Process ids are used again; the start time tells the new one from the old.
  const known = startOf(pid);
  return known === null || start === 0 || known === start;
}

/** Start of a process in clock ticks since boot; null where the system does not tell (no /proc). */
function startOf(pid: number): number | null {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The command may hold spaces and brackets; the fields after its last bracket are fixed, start is the 20th.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return Number(fields[19]);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
