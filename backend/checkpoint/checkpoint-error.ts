/** A checkpoint that cannot be used. The message is for the operator: it names the file and the tensor or field. */
export class CheckpointError extends Error {
  override readonly name = 'CheckpointError'
}

/** What to do about a damaged file of a checkpoint. */
export const copyAgain = 'download or copy it again'

/** What to do about a file that cannot be read. @param cause the system's error */
export function remedyOf({ code }: NodeJS.ErrnoException): string {
  return code === 'EACCES' || code === 'EPERM' ? 'give this user the right to read it' : copyAgain
}
