import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { programs } from '../../../scripts/support/programs.ts'
import type { CertificateSet } from '../../../shared/node/certificates/create-certificates.ts'

/** A backend without a model that can be killed like a real one. */
export interface PacedBackend {
  readonly name: string
  readonly url: string
  readonly child: ChildProcess
  /** What is currently open. */
  count(): Promise<{ readonly connections: number; readonly running: number }>
  /** Like a power cut. */
  kill(): Promise<void>
}

/** @param port the one it had before it was killed, or 0 for any */
export async function startPacedBackend(
  name: string,
  certificates: CertificateSet,
  port = 0,
): Promise<PacedBackend> {
  const child = fork(programs.pacedBackend, {
    env: { NAME: name, PORT: String(port), TLS_CERTIFICATES: JSON.stringify(certificates) },
  })
  const [ready] = (await once(child, 'message')) as [{ port: number }]
  return {
    name,
    url: `https://localhost:${ready.port}`,
    child,
    async count() {
      child.send('count')
      const [counts] = (await once(child, 'message')) as [{ connections: number; running: number }]
      return counts
    },
    async kill() {
      if (child.exitCode !== null || child.signalCode !== null) return
      const gone = once(child, 'exit')
      child.kill('SIGKILL')
      await gone
    },
  }
}
