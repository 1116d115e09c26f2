/** Entry of the vision thread; vision-thread.ts starts it. */
import { getPriority, setPriority } from 'node:os'
import { parentPort, workerData } from 'node:worker_threads'
import { createPatchNormalizer } from './normalize-patches.ts'
import { createSession } from './sessions.ts'
import { encodeImage } from './vision-encoder.ts'
import type { FromVision, ToVision, VisionSetup } from './vision-thread.ts'

/**
 * Added to the nice value, which ends at 19: streams need each of their steps soon, an image only its end. Measured beside
 * two streams: with 0 their gaps and the run take 1.6 times as long as alone, with 5 gaps 1.2 and the run 2.3 times,
 * with 10 gaps 1.1 and the run 4 times.
 */
const lowerBy = 5
const lowestPriority = 19

/** On Linux this is about the calling thread and those it will start; elsewhere it would be the whole process. */
function lowerPriority(): void {
  if (process.platform === 'linux') setPriority(Math.min(getPriority() + lowerBy, lowestPriority))
}

async function serve({ graphFile, threads, config, preprocessor }: VisionSetup): Promise<void> {
  const session = await createSession(graphFile, { threads })
  const parts = { session, config, normalize: createPatchNormalizer(preprocessor) }
  const port = parentPort!
  port.on('message', (message: ToVision) => {
    switch (message.type) {
      case 'encode':
        encodeImage(parts, message.image).then(
          (features) => send({ features }, [features.buffer]),
          fail,
        )
        return
      case 'close':
        port.close()
        void session.release()
        return
    }
  })
  send({ features: new Float32Array() })
}

function send(message: FromVision, moved: readonly ArrayBufferLike[] = []): void {
  parentPort!.postMessage(message, moved as ArrayBuffer[])
}

function fail(error: Error): void {
  send({ error })
}

lowerPriority()
serve(workerData as VisionSetup).catch(fail)
