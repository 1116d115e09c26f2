import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { expect, it } from 'vitest'

const module = new URL('end-with-output.ts', import.meta.url).href
const program = `
  const { endWithOutput } = await import('${module}')
  endWithOutput()
  setInterval(() => process.stdout.write('line\\n'), 1)`

const runInto = (target: string) =>
  spawnSync(
    'sh',
    ['-c', `{ "$0" --eval "$1"; echo "code $?" >&2; } ${target}`, process.execPath, program],
    {
      encoding: 'utf8',
    },
  ).stderr

it('ends quietly once nobody reads its output', () => {
  expect(runInto('| head -n 1')).toBe('code 141\n')
})

it.runIf(existsSync('/dev/full'))('names what keeps its output from being written', () => {
  expect(runInto('> /dev/full')).toMatch(/^Cannot write the output: ENOSPC.*\ncode 1\n$/)
})
