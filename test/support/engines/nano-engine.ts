import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createEngine } from '../../../backend/engine/engine.ts'
import { Vocabulary } from '../../../backend/grammar/masks/vocabulary.ts'
import { readTokenizerFile } from '../../../backend/model/config/tokenizer-file.ts'
import { loadModel } from '../../../backend/model/load-model.ts'
import { createProcessor } from '../../../backend/processor/create-processor.ts'
import { createLocalTasks } from '../../../backend/processor/tasks/processor-tasks.ts'
import { startEngineStandIn, type EngineStandIn } from './engine-stand-in.ts'
import { nanoAnswer } from './nano-answer.ts'
import type { StandInKind } from './wire.ts'

const nano = 'models/kimi-vl-nano'

/** A stand-in with the real little model behind its route, in this process. */
export async function startNanoEngine(
  kind: StandInKind,
  options: { readonly apiKey?: string; readonly port?: number } = {},
): Promise<EngineStandIn> {
  const modelsDir = await mkdtemp(join(tmpdir(), 'nano-engine-'))
  const model = await loadModel({
    checkpointDir: nano,
    modelsDir,
    weights: 'q8',
    slots: 4,
    threads: 1,
  })
  const processor = await createProcessor({ modelFolder: nano, tasks: createLocalTasks(nano) })
  const { tokenBytes, vocabSize } = await readTokenizerFile(nano)
  const vocabulary = new Vocabulary(tokenBytes, vocabSize)
  const engine = createEngine({ model, vocabulary, queueLimit: 64 })
  const answer = nanoAnswer(processor, engine)
  const standIn = await startEngineStandIn({ kind, answer, ...options })
  return {
    ...standIn,
    async stop() {
      await standIn.stop()
      await engine.close()
      await processor.close()
      await model.close()
      await rm(modelsDir, { recursive: true })
    },
  }
}
