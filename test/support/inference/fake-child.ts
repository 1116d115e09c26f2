/** An inference process with the fake model in place of a real one, forked by tests. */
import { once } from 'node:events'
import { setTimeout as wait } from 'node:timers/promises'
import { runChild } from '../../../backend/inference/child/run-child.ts'
import { loadingPipe, writeLoadingLine } from '../../../backend/model/loading/loading-line.ts'
import { FakeModel } from './fake-model.ts'

/** Passed as JSON in `checkpointDir`. */
export interface FakeChildBehaviour {
  /** Default: at once. */
  readonly load?: 'never' | 'fail' | 'die'
  /** Bytes of 100 that it says are loaded. */
  readonly loaded?: number
  readonly stepMs?: number
  /** Milliseconds for which each step blocks the process. */
  readonly blockMs?: number
  /** A prompt with this id ends the process in the middle of a step. */
  readonly deadlyId?: number
}

runChild(async ({ checkpointDir, slots, onProgress, signal }) => {
  const { load, loaded, stepMs, blockMs, deadlyId } = JSON.parse(
    checkpointDir,
  ) as FakeChildBehaviour
  onProgress(`pid ${process.pid}`)
  if (loaded !== undefined) {
    const amount = { doneBytes: loaded, totalBytes: 100 }
    writeLoadingLine(loadingPipe, { text: 'loading', amount })
  }
  if (load === 'never') await once(signal, 'abort').then(() => signal.throwIfAborted())
  if (load === 'fail') throw new Error('model.safetensors is missing')
  if (load === 'die') process.kill(process.pid, 'SIGKILL')
  const onStep: FakeModel['hooks']['onStep'] = async (rows) => {
    if (stepMs !== undefined) await wait(stepMs)
    if (blockMs !== undefined) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, blockMs)
    if (rows.some((row) => row.tokenIds.includes(deadlyId ?? -1))) process.exit(7)
  }
  return new FakeModel({ slots, contextTokens: 4096 }, { onStep })
})
