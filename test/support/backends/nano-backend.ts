import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createEngine } from '../../../backend/engine/engine.ts'
import type { Engine } from '../../../backend/engine/job.ts'
import { Vocabulary } from '../../../backend/grammar/masks/vocabulary.ts'
import { readTokenizerFile } from '../../../backend/model/config/tokenizer-file.ts'
import { loadModel } from '../../../backend/model/load-model.ts'
import { createProcessor } from '../../../backend/processor/create-processor.ts'
import { createLocalTasks } from '../../../backend/processor/tasks/processor-tasks.ts'
import type { Transport } from '../../../shared/fetch/fetch-image.ts'
import type { CertificateSet } from '../../../shared/node/certificates/create-certificates.ts'
import { type FakeEngine, startTestBackend, type TestBackend } from './test-backend.ts'

const nano = 'models/kimi-vl-nano'

export interface NanoBackend {
  readonly url: string
  readonly backend: TestBackend
  /** Answers in place of the model while a test sets it. */
  script: FakeEngine | undefined
  stop(): Promise<void>
}

/** A backend over the real little model, in this process, whose engine a test can replace by a scripted one. */
export async function startNanoBackend(
  certificates: CertificateSet,
  transport: Transport,
  { reasons = false }: { readonly reasons?: boolean } = {},
): Promise<NanoBackend> {
  const modelsDir = await mkdtemp(join(tmpdir(), 'doors-'))
  const model = await loadModel({
    checkpointDir: nano,
    modelsDir,
    weights: 'f32',
    slots: 4,
    threads: 1,
  })
  const processor = await createProcessor({ modelFolder: nano, tasks: createLocalTasks(nano) })
  const { tokenBytes, vocabSize } = await readTokenizerFile(nano)
  const vocabulary = new Vocabulary(tokenBytes, vocabSize)
  const engine = createEngine({ model, vocabulary, queueLimit: 64 })
  const either: Engine = {
    generate: (job, signal) => (nanoBackend.script ?? engine).generate(job, signal),
    snapshot: () => engine.snapshot(),
  }
  const backend = await startTestBackend({
    certificates,
    transport,
    // A local workerd notices that its client has left with the next bytes it has to pass on.
    heartbeatMs: 200,
    reasons,
    parts: { processor, engine: either },
  })
  const nanoBackend: NanoBackend = {
    url: `https://localhost:${backend.port}`,
    backend,
    script: undefined,
    async stop() {
      await backend.stop()
      await engine.close()
      await processor.close()
      await model.close()
      await rm(modelsDir, { recursive: true })
    },
  }
  return nanoBackend
}
