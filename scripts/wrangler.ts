import { spawn } from 'node:child_process'
import { once } from 'node:events'

/** `npm run wrangler -- <arguments>`: Cloudflare's own command, in the installed version. @returns its exit code */
export async function main(given: readonly string[]): Promise<number> {
  const program = 'node_modules/wrangler/bin/wrangler.js'
  const child = spawn(process.execPath, [program, ...given], { stdio: 'inherit' })
  const [code] = (await once(child, 'exit')) as [number | null]
  return code ?? 1
}
