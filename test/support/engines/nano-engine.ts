import { openNano } from '../model/open-nano.ts'
import { startEngineStandIn, type EngineStandIn } from './engine-stand-in.ts'
import { nanoAnswer } from './nano-answer.ts'
import type { StandInKind } from './wire.ts'

/** A stand-in with the real little model behind its route, in this process. */
export async function startNanoEngine(
  kind: StandInKind,
  options: { readonly apiKey?: string; readonly port?: number } = {},
): Promise<EngineStandIn> {
  const nano = await openNano('q8')
  const answer = nanoAnswer(nano.processor, nano.engine)
  const standIn = await startEngineStandIn({ kind, answer, ...options })
  return {
    ...standIn,
    async stop() {
      await standIn.stop()
      await nano.close()
    },
  }
}
