/** SQLite's code when another connection has a lock (sqlite.org/rescode.html). */
const busy = 5

/** For a damaged file, and for one that is not a database. */
const damaged: readonly (number | undefined)[] = [11, 26]

/** What SQLite says of a damaged header, with the code that it has for most mistakes. */
const unknownFormat = 'unsupported file format'

/** Whether an error of `node:sqlite` means that the file has to be replaced. */
export function isSqliteDamage(cause: unknown): boolean {
  const { errcode, message } = cause as Error & { errcode?: number }
  return damaged.includes(errcode) || (errcode === 1 && message === unknownFormat)
}

/** Whether an error of `node:sqlite` means that another connection has a lock on the file. */
export function isSqliteBusy(cause: unknown): boolean {
  return (cause as { errcode?: number }).errcode === busy
}
