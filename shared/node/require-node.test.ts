import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'

const module = new URL('require-node.mjs', import.meta.url).href

it.each([
  ['20.20.2', 1, /^This is Node 20\.20\.2; Describe Server runs on Node 24 or newer\. .*\n$/],
  ['24.0.0', 0, /^$/],
])('on Node %s ends a program with the code %i', (version, code, stderr) => {
  const program = `import('${module}').then(({ requireNode }) => requireNode('${version}'))`
  const ended = spawnSync(process.execPath, ['--eval', program], { encoding: 'utf8' })
  expect(ended.status).toBe(code)
  expect(ended.stderr).toMatch(stderr)
})

// Modules are linked before any of them runs, and those of the programs need what an older Node does not have.
it.each(['backend/main.mjs', 'edge/node/main.mjs'])('is all that %s imports at first', (file) => {
  const imports = readFileSync(file, 'utf8').matchAll(/^import .* from '(?!node:)([^']+)'/gm)
  expect([...imports].map(([, name]) => name)).toEqual([
    expect.stringMatching(/\/shared\/node\/require-node\.mjs$/),
  ])
})
