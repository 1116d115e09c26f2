import { spawn } from 'node:child_process'
import { resolve } from 'node:path'

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
 * @returns what it printed as its result
 * @throws {Error} with everything it printed, if it fails
 */
export function runWrangler(commandArguments: readonly string[]): Promise<string> {
  const wrangler = resolve('node_modules/wrangler/bin/wrangler.js')
  const child = spawn(process.execPath, [wrangler, ...commandArguments], {
    env: { ...process.env, ...offlineWrangler },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  let result = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (result += text))
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (output += text))
  }
  return new Promise((done, fail) => {
    child.on('error', fail)
    child.on('close', (code) => {
      if (code === 0) done(result)
      else fail(new Error(`wrangler ${commandArguments[0]} failed:\n${output.trim()}`))
    })
  })
}
