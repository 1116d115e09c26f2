import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createEngine } from '../../../backend/engine/engine.ts'
import type { Engine } from '../../../backend/engine/job.ts'
import { Vocabulary } from '../../../backend/grammar/masks/vocabulary.ts'
import { readTokenizerFile } from '../../../backend/model/config/tokenizer-file.ts'
import { loadModel } from '../../../backend/model/load-model.ts'
import { createProcessor } from '../../../backend/processor/create-processor.ts'
import type { Processor } from '../../../backend/processor/processor.ts'
import { createLocalTasks } from '../../../backend/processor/tasks/processor-tasks.ts'

const nano = 'models/kimi-vl-nano'

/** The real little model in this process, with what prepares its input. */
export interface OpenNano {
  readonly processor: Processor
  readonly engine: Engine
  readonly close: () => Promise<void>
}

export async function openNano(weights: 'f32' | 'q8'): Promise<OpenNano> {
  const modelsDir = await mkdtemp(join(tmpdir(), 'nano-'))
  const model = await loadModel({ checkpointDir: nano, modelsDir, weights, slots: 4, threads: 1 })
  const processor = await createProcessor({ modelFolder: nano, tasks: createLocalTasks(nano) })
  const { tokenBytes, vocabSize } = await readTokenizerFile(nano)
  const vocabulary = new Vocabulary(tokenBytes, vocabSize)
  const engine = createEngine({ model, vocabulary, queueLimit: 64 })
  return {
    processor,
    engine,
    async close() {
      await engine.close()
      await processor.close()
      await model.close()
      await rm(modelsDir, { recursive: true })
    },
  }
}
