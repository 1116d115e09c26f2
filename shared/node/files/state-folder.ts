/** What to do when a file of the state folder cannot be used. */
export const stateFolderAdvice =
  'STATE_DIR must be a folder on a local disk with free space that this user may write to.'
