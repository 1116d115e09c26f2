/** A process with an inference process below it, for tests that kill it. Prints what it logs, then `ready`. */
import { createInference } from '../../../backend/inference/supervisor.ts'
import { fakeInit } from './fake-init.ts'

const inference = createInference({
  entry: process.argv[2]!,
  environment: process.env,
  init: fakeInit(),
  log: (_, text) => process.stdout.write(`${text}\n`),
})
await inference.ready()
process.stdout.write('ready\n')
