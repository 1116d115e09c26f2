// The first thing `npm start` and `npm test` run. Plain JavaScript on Node's own modules, because on a fresh clone
// nothing else is there yet.
import { chdir } from 'node:process'
import { fileURLToPath } from 'node:url'
import { installIfNeeded } from './bootstrap/install.mjs'
import { requireNode } from './bootstrap/node-version.mjs'

chdir(fileURLToPath(new URL('..', import.meta.url)))
requireNode(process.versions.node)

/** @param {string} name */
const built = (name) => new URL(`../dist/scripts/${name}`, import.meta.url).href

const [program, ...programArguments] = process.argv.slice(2)
try {
  installIfNeeded()
  const { buildNodePrograms, buildWorker } = await import('./build.mjs')
  await buildNodePrograms()
  switch (program) {
    case 'start': {
      const { start } = await import(built('start.js'))
      process.exitCode = await start({ environment: process.env, buildWorker })
      break
    }
    case 'test': {
      await buildWorker()
      const { test } = await import(built('test.js'))
      process.exitCode = await test(programArguments)
      break
    }
    default:
      throw new Error('Usage: node scripts/bootstrap.mjs start | test [arguments for vitest]')
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}
