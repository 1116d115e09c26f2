import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { readRunningAddress } from '../shared/node/running-address.ts'
import { defaultStateDir } from '../shared/node/settings/default-folders.ts'
import { CliError } from './cli-error.ts'
import type { CliParts } from './cli-parts.ts'

type Settings = Pick<CliParts, 'environment'>

/** The server that DESCRIBE_URL names; by default the one that `npm start` runs. @throws {CliError} */
export function serverUrl({ environment }: Settings): URL {
  const { DESCRIBE_URL, PORT, STATE_DIR } = environment
  const running = readRunningAddress(STATE_DIR || defaultStateDir)?.url
  const text = DESCRIBE_URL || running || `http://127.0.0.1:${PORT || '8787'}`
  if (URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)) return new URL(text)
  throw new CliError('DESCRIBE_URL must be an http or https URL')
}

/** Never taken from an argument, which everybody on the machine can read. @throws {CliError} */
export async function serverKey({ environment }: Settings): Promise<string> {
  const { DESCRIBE_API_KEY, STATE_DIR } = environment
  if (DESCRIBE_API_KEY) return DESCRIBE_API_KEY
  const file = resolve(STATE_DIR || defaultStateDir, 'api-key')
  const text = await readFile(file, 'utf8').catch(() => '')
  const key = text.trim()
  if (key !== '') return key
  throw new CliError(
    `There is no API key in ${file}: run npm start once, or set DESCRIBE_API_KEY or STATE_DIR`,
  )
}
