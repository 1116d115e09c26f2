import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { programs } from '../../scripts/programs.ts'
import type { CertificateSet } from '../../shared/node/certificates/create-certificates.ts'

/** A backend without a model that can be killed like a real one. */
export interface StubProcess {
  readonly name: string
  readonly url: string
  readonly child: ChildProcess
  /** What is open at the moment. */
  count(): Promise<{ readonly connections: number; readonly running: number }>
  /** As a power cut would. */
  kill(): Promise<void>
}

/** @param port the one it had before it was killed, or 0 for any */
export async function startStub(
  name: string,
  certificates: CertificateSet,
  port = 0,
): Promise<StubProcess> {
  const child = fork(programs.stubBackend, {
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
