import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { VisionConfig } from './model-config.ts'
import type { PatchImage } from './model.ts'
import type { PreprocessorConfig } from './preprocessor-config.ts'

/** What the thread needs to know to open the vision tower. */
export interface VisionSetup {
  readonly graphFile: string
  readonly threads: number
  readonly config: VisionConfig
  readonly preprocessor: Pick<PreprocessorConfig, 'patchSize' | 'mean' | 'std'>
}

export type ToVision =
  | { readonly type: 'encode'; readonly image: PatchImage }
  /** Ends the thread; nothing is running. */
  | { readonly type: 'close' }

export type FromVision =
  /** Empty when the tower is open. */
  | { readonly features: Float32Array }
  /** The tower cannot be opened, or this one image not be encoded. */
  | { readonly error: Error }

/** The vision tower in a thread of its own: while it looks at an image for seconds, the decoder makes its steps. */
interface VisionThread {
  /** See `Model.encodeImage`. Several wait for one another. */
  encode(image: PatchImage): Promise<Float32Array>
  /** Settles when the thread has ended; nothing may be running. */
  close(): Promise<void>
}

/**
 * Starts the thread and opens the tower there. A thread that ends unasked leaves a model that cannot see; that is thrown
 * where nothing catches it, and ends the process.
 * @param entry the bundled vision-worker.ts
 * @throws {Error} when the tower cannot be opened
 */
export async function startVisionThread(entry: URL, setup: VisionSetup): Promise<VisionThread> {
  const worker = new Worker(entry, { workerData: setup })
  const send = (message: ToVision, moved: ArrayBuffer[] = []) => worker.postMessage(message, moved)
  const look = async ({ gridHw, patches }: PatchImage) => {
    // A copy to give away: the caller's may be a view among others of what one message brought.
    const own = patches.slice()
    send({ type: 'encode', image: { gridHw, patches: own } }, [own.buffer])
    return (await reply(worker)).features
  }
  let last: Promise<unknown> = Promise.resolve()
  let closed = false
  await reply(worker)
  worker.on('exit', (code) => {
    if (!closed) throw new Error(`The vision thread ended (exit code ${code})`)
  })
  return {
    encode(image) {
      const features = last.then(() => look(image))
      // What became of one is nothing to the next.
      last = features.catch(() => undefined)
      return features
    },
    async close() {
      closed = true
      send({ type: 'close' })
      await once(worker, 'exit')
    },
  }
}

/** What the thread says next. @throws {Error} what failed there, or ended it */
async function reply(worker: Worker): Promise<{ features: Float32Array }> {
  const [message] = (await once(worker, 'message')) as [FromVision]
  if ('error' in message) throw message.error
  return message
}
