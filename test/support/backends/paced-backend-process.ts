import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { programs } from '../../../scripts/support/programs.ts'
import { findFreePorts } from '../../../scripts/start/port.ts'
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

/** @param port the one it had before it was killed; otherwise one that it can have again */
export async function startPacedBackend(
  name: string,
  certificates: CertificateSet,
  port?: number,
): Promise<PacedBackend> {
  const wanted = { host: '127.0.0.1', port: 0, setting: 'PORT' }
  const [free] = port === undefined ? await findFreePorts([wanted]) : [port]
  const child = fork(programs.pacedBackend, {
    env: { NAME: name, PORT: String(free), TLS_CERTIFICATES: JSON.stringify(certificates) },
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
