/** What the system's codes mean for people. */
const reasons: Readonly<Record<string, string>> = {
  EACCES: 'this user may not use it',
  EPERM: 'this user may not use it',
  EROFS: 'its disk is read-only',
  ENOENT: 'there is no such file or folder',
  EEXIST: 'it already exists',
  ENOTDIR: 'a part of its path is not a folder',
  EISDIR: 'it is a folder',
  ELOOP: 'its symbolic links form a loop',
  ENAMETOOLONG: 'its name is too long',
  ENOSPC: 'its disk is full',
  EDQUOT: "this user's share of its disk is used up",
}

/** What the same codes mean where a folder was to be made. */
const reasonsOfMaking: Readonly<Record<string, string>> = {
  ENOENT: 'no folder can be made there',
  EEXIST: 'it already exists and is not a folder',
}

/** Calls that fail with the same codes, but not because of a file. */
const otherCalls: ReadonlySet<string | undefined> = new Set(['bind', 'connect', 'kill', 'listen'])

/**
 * One sentence about a failure of the file system.
 * @returns undefined for any other error
 */
export function fileErrorText(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined
  const { code = '', path, syscall } = error as NodeJS.ErrnoException
  if (otherCalls.has(syscall)) return undefined
  const reason = (syscall === 'mkdir' ? reasonsOfMaking[code] : undefined) ?? reasons[code]
  if (reason === undefined) return undefined
  // The failure of a write does not say where.
  const what = path === undefined ? 'a file' : path
  return `Cannot use ${what}: ${reason} (${code})`
}
