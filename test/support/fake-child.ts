/** An inference process with the fake model in place of a real one; built and forked by tests. */
import { setTimeout as wait } from 'node:timers/promises'
import { runChild } from '../../backend/inference/run-child.ts'
import type { PatchImage } from '../../backend/model/model.ts'
import { startVisionThread, type VisionSetup } from '../../backend/model/vision-thread.ts'
import { FakeModel } from './fake-model.ts'

/** Travels as JSON in `checkpointDir`. */
export interface FakeChildBehaviour {
  /** Default: at once. */
  readonly load?: 'never' | 'fail' | 'die'
  readonly stepMs?: number
  /** A prompt with this id ends the process in the middle of a step. */
  readonly deadlyId?: number
  /** The thread that looks at images ends instead. */
  readonly deadlyImages?: boolean
}

const deadlyVisionWorker = `
import { parentPort } from 'node:worker_threads'
parentPort.postMessage({ features: new Float32Array() })
parentPort.once('message', () => process.exit(3))`

runChild(async ({ checkpointDir, slots, onProgress }) => {
  const { load, stepMs, deadlyId, deadlyImages } = JSON.parse(checkpointDir) as FakeChildBehaviour
  onProgress(`pid ${process.pid}`)
  if (load === 'never') await new Promise(() => {})
  if (load === 'fail') throw new Error('model.safetensors is missing')
  if (load === 'die') process.kill(process.pid, 'SIGKILL')
  const onStep: FakeModel['hooks']['onStep'] = async (rows) => {
    if (stepMs !== undefined) await wait(stepMs)
    if (rows.some((row) => row.tokenIds.includes(deadlyId ?? -1))) process.exit(7)
  }
  if (deadlyImages !== true) return new FakeModel({ slots, contextTokens: 4096 }, { onStep })
  const worker = new URL(`data:text/javascript,${encodeURIComponent(deadlyVisionWorker)}`)
  const vision = await startVisionThread(worker, {} as VisionSetup)
  const onEncode = async (image: PatchImage) => void (await vision.encode(image))
  return new FakeModel({ slots, contextTokens: 4096 }, { onStep, onEncode })
})
