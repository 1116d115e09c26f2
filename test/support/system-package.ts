import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** One installation at a time: several test files may want something. */
const install = `export DEBIAN_FRONTEND=noninteractive
exec flock /tmp/describe-server-apt.lock sh -c '
  apt-get update -qq && apt-get install -qq -y --no-install-recommends "$0"' "$0"`

/** Milliseconds: Chromium is a download of 100 MB. */
const longestMs = 180_000

/**
 * Makes sure of a program that tests need and npm does not have. Where it is missing, Debian's package is installed, if
 * this process may do that.
 * @param works rejects while it is missing
 * @returns why it cannot be had; undefined when it is there
 */
export async function systemPackage(
  name: string,
  works: () => Promise<unknown>,
): Promise<string | undefined> {
  if (await succeeds(works)) return undefined
  if (process.getuid?.() !== 0) return `${name} is not installed, and only root may do that`
  try {
    await run('sh', ['-c', install, name], { timeout: longestMs })
    await works()
    return undefined
  } catch (error) {
    const [reason] = (error as Error).message.trim().split('\n').slice(-1)
    return `${name} cannot be installed: ${reason}`
  }
}

async function succeeds(works: () => Promise<unknown>): Promise<boolean> {
  return works().then(
    () => true,
    () => false,
  )
}
