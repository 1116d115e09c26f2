import type { Engine } from '../../../backend/engine/job.ts'
import type { Transport } from '../../../shared/fetch/fetch-image.ts'
import type { CertificateSet } from '../../../shared/node/certificates/create-certificates.ts'
import { openNano } from '../model/open-nano.ts'
import { type FakeEngine, startTestBackend, type TestBackend } from './test-backend.ts'

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
  const { engine, processor, close } = await openNano('f32')
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
      await close()
    },
  }
  return nanoBackend
}
