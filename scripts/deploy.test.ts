import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'

/** Runs `npm run deploy` as its users do, without credentials and, by its own promise, without a network. */
async function deploy(...commandArguments: string[]) {
  const run = promisify(execFile)(process.execPath, [
    'scripts/bootstrap.mjs',
    'deploy',
    ...commandArguments,
  ])
  return run.then(
    ({ stdout }) => ({ code: 0, output: stdout }),
    (error: { code: number; stdout: string; stderr: string }) => ({
      code: error.code,
      output: error.stdout + error.stderr,
    }),
  )
}

describe('npm run deploy', () => {
  it('--dry-run builds a small bundle and reports what is still missing', async () => {
    const { code, output } = await deploy('production', '--dry-run')
    expect([code, output]).toEqual([0, expect.stringMatching(/^The bundle for production is/)])
    expect(output).toContain('A real deployment would stop here')
  })

  it('stops before anything happens when something is missing', async () => {
    const { code, output } = await deploy('staging')
    expect([code, output]).toEqual([1, expect.stringMatching(/^This is missing:\n/)])
    expect(output).toContain('needs the id of the client certificate BACKEND')
  })
})
