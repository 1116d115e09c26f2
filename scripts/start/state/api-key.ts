import { randomBytes } from 'node:crypto'
import { chmod, readFile } from 'node:fs/promises'
import { writePrivateFile } from '../../../shared/node/files/private-file.ts'
import { apiKeyAdvice, isStrongApiKey } from '../../../shared/settings/api-key.ts'
import { StartError } from '../start-error.ts'

/** Random bytes of a new key: 256 bits cannot be guessed. */
const keyBytes = 32

/**
 * The API key of this installation, kept in `path`: the preset one if there is one, else the one made earlier, else a
 * new one. Only the owner can read the file.
 * @throws {StartError} when the one made earlier can be guessed
 */
export async function ensureApiKey(path: string, preset: string | undefined): Promise<string> {
  const kept = await readKey(path)
  if (preset === undefined && kept !== undefined && !isStrongApiKey(kept)) {
    throw new StartError(
      `The API key in ${path} is too weak (${apiKeyAdvice}). Put a stronger one there or into API_KEY, or delete the file: the next start then makes one`,
    )
  }
  const key = preset ?? kept ?? `dsk_${randomBytes(keyBytes).toString('base64url')}`
  if (key === kept) await chmod(path, 0o600)
  else await writePrivateFile(path, `${key}\n`)
  return key
}

async function readKey(path: string): Promise<string | undefined> {
  try {
    const text = (await readFile(path, 'utf8')).trim()
    return text === '' ? undefined : text
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
