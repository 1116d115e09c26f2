import { tmpdir } from 'node:os'
import { relative, resolve } from 'node:path'
import { fileErrorText } from '../../../shared/node/files/file-error.ts'
import { stateFolderAdvice } from '../../../shared/node/files/state-folder.ts'
import { StartError } from '../start-error.ts'

export const temporaryFolderAdvice =
  'Set TMPDIR to a folder with free space that this user may write to.'

/**
 * What a file system error means for the operator.
 * @returns a {StartError} that names the file and says what to do, or the error itself if it is of another kind
 */
export function explainFileProblem(error: unknown, stateDir: string): unknown {
  const { code, path } = error as NodeJS.ErrnoException
  if (code === undefined) return error
  if (path === undefined) {
    // A write error does not include the path.
    const text = isDiskFull(code) ? fileErrorText(error) : undefined
    return text === undefined
      ? error
      : new StartError(`${text}. STATE_DIR is ${stateDir}; TMPDIR is ${tmpdir()}`, { cause: error })
  }
  const advices = [
    [stateDir, stateFolderAdvice],
    [
      'dist',
      'The Worker is bundled there: run npm run build as a user who may write to it, or set EDGE=node.',
    ],
    [tmpdir(), temporaryFolderAdvice],
  ] as const
  const advice = advices.find(([folder]) => isWithin(folder, path))?.[1]
  if (advice === undefined) return error
  return new StartError(`Cannot use ${path} (${code}). ${advice}`, { cause: error })
}

function isDiskFull(code: string): boolean {
  return code === 'ENOSPC' || code === 'EDQUOT'
}

function isWithin(folder: string, path: string): boolean {
  return !relative(resolve(folder), resolve(path)).startsWith('..')
}
