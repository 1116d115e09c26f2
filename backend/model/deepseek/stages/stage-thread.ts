/** A thread that runs a stage of the decoder. */
import { parentPort, workerData } from 'node:worker_threads'
import { openLocalStage, type StageSetup } from './local-stage.ts'
import type { CacheChange, StageOutput, StageStep } from './stage.ts'

export type ToStage =
  | { readonly type: 'change'; readonly change: CacheChange }
  | { readonly type: 'run'; readonly step: StageStep }
  | { readonly type: 'commit' }
  | { readonly type: 'close' }

export type FromStage =
  | { readonly type: 'open' }
  | { readonly type: 'done'; readonly output: StageOutput }
  | { readonly type: 'failed'; readonly error: Error }

const port = parentPort!
const answer = (message: FromStage) => port.postMessage(message)
const stage = await openLocalStage(workerData as StageSetup)

port.on('message', (message: ToStage) => {
  switch (message.type) {
    case 'change':
      stage.change(message.change)
      return
    case 'run':
      stage.run(message.step).then(
        (output) => answer({ type: 'done', output }),
        (error: Error) => answer({ type: 'failed', error }),
      )
      return
    case 'commit':
      stage.commit()
      return
    case 'close':
      void stage.close().then(() => port.close())
      return
  }
})
answer({ type: 'open' })
