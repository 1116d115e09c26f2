// The edge's program on Node. Imports are compiled before the file that has them runs, so the cache has to be opened in a file of its own.
import { setFlagsFromString } from 'node:v8'
import { requireNode } from '../../shared/node/require-node.mjs'

requireNode()
// Sockets and TLS take memory that V8 does not count and that is freed with the young objects that own it. When the space
// for those does not grow, it is emptied more often: after some thousand requests the process takes a third less.
setFlagsFromString('--semi-space-growth-factor=1')
const { keepCompiledCode } = await import('../../shared/node/compile-cache.mjs')
keepCompiledCode()
if (process.argv.length > 2) {
  const { answerArguments } = await import('../../shared/node/process/program-arguments.ts')
  answerArguments(
    'npm run edge',
    'Runs the edge on Node: checks API keys and limits, and forwards requests to backends',
  )
}
await import('./run.ts')
