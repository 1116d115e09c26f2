// The backend's program. Imports are compiled before the file that has them runs, so the cache has to be opened in a file of its own.
import { requireNode } from '../shared/node/require-node.mjs'

requireNode()
const { keepYoungSpaceSmall } = await import('../shared/node/young-space.mjs')
keepYoungSpaceSmall()
const { keepCompiledCode } = await import('../shared/node/compile-cache.mjs')
keepCompiledCode()
if (process.argv.length > 2) {
  const { answerArguments } = await import('../shared/node/process/program-arguments.ts')
  answerArguments(
    'npm run backend',
    'Runs the backend: loads the model, and answers clients that have a certificate',
  )
}
await import('./run.ts')
