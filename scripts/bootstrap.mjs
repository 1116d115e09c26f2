// The first thing `npm start` and `npm test` run. Plain JavaScript on Node's own modules, because on a fresh clone
// nothing else is there yet.
import { chdir } from 'node:process'
import { fileURLToPath } from 'node:url'
import { installIfNeeded } from './bootstrap/install.mjs'
import { requireNode } from './bootstrap/node-version.mjs'

chdir(fileURLToPath(new URL('..', import.meta.url)))
requireNode(process.versions.node)

/**
 * Runs `main` of a bundled program and ends with the exit code it returns.
 * @param {string} name file in dist/scripts
 * @param {unknown} options
 */
async function run(name, options) {
  const { main } = await import(new URL(`../dist/scripts/${name}`, import.meta.url).href)
  process.exit(await main(options))
}

const [program, ...programArguments] = process.argv.slice(2)
try {
  installIfNeeded()
  const { buildNodePrograms, buildWorker, runWrangler } = await import('./build.mjs')
  await buildNodePrograms()
  if (program === 'start') {
    await run('start.js', { environment: process.env, buildWorker })
  } else if (program === 'test') {
    await buildWorker()
    await run('test.js', { vitestArguments: programArguments })
  } else if (program === 'deploy') {
    await run('deploy.js', { arguments: programArguments, runWrangler })
  } else if (program === 'bench-edge') {
    await run('bench-edge.js', { arguments: programArguments, buildWorker })
  } else if (program === 'soak') {
    await run('soak.js', { arguments: programArguments })
  } else {
    throw new Error(
      'Usage: node scripts/bootstrap.mjs start | test [arguments for vitest] | deploy | bench-edge | soak [requests]',
    )
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exit(1)
}
