import { spawn } from 'node:child_process'
import { resolve } from 'node:path'
import { endWithThisProcess } from './group-guard.ts'
import { killGroup } from './kill-group.ts'

/** Keeps wrangler from contacting anyone, including the registry, which it would ask for a newer version. */
const offlineWrangler = {
  CI: '1',
  CLOUDFLARE_CF_FETCH_ENABLED: 'false',
  WRANGLER_HIDE_BANNER: 'true',
  WRANGLER_LOG_PATH: '.wrangler/logs',
  WRANGLER_SEND_ERROR_REPORTS: 'false',
  WRANGLER_SEND_METRICS: 'false',
}

/**
 * Runs wrangler, which ends with this process, and so does everything it starts.
 * @param signal ends it before
 * @returns what it printed as its result
 * @throws {Error} with everything it printed, if it fails or is ended
 */
export function runWrangler(
  commandArguments: readonly string[],
  signal?: AbortSignal,
): Promise<string> {
  const wrangler = resolve('node_modules/wrangler/bin/wrangler.js')
  const child = spawn(process.execPath, [wrangler, ...commandArguments], {
    env: { ...process.env, ...offlineWrangler },
    // It leads a group, by which all that it starts can be ended.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const release = boundGroup(child.pid, signal)
  let output = ''
  let result = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (result += text))
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (output += text))
  }
  return new Promise((done, fail) => {
    child.on('error', fail)
    child.on('close', (code) => {
      release()
      if (code === 0) done(result)
      else fail(new Error(`wrangler ${commandArguments[0]} failed:\n${output.trim()}`))
    })
  })
}

/** @returns a function to call once the group has ended */
function boundGroup(leader: number | undefined, signal: AbortSignal | undefined): () => void {
  if (leader === undefined) return () => undefined
  const giveUpGuard = endWithThisProcess(leader)
  const kill = () => killGroup(leader)
  if (signal?.aborted === true) kill()
  signal?.addEventListener('abort', kill)
  return () => {
    signal?.removeEventListener('abort', kill)
    giveUpGuard()
  }
}
