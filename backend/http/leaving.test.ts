import { readdirSync } from 'node:fs'
import { afterEach, expect, it } from 'vitest'
import {
  makeCertificates,
  startTestBackend,
  until,
  type TestBackend,
} from '../../test/support/backends/test-backend.ts'

let backend: TestBackend
afterEach(() => backend.stop())

const openFiles = () => readdirSync('/proc/self/fd').length

const stream = '{"prompt":"a","stream":true}'
const head = `POST /generate/text HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${stream.length}\r\n\r\n`

/** What a client sends before it leaves: nothing, half a head, half a body, a question whose answer has begun. */
const stages = ['', head.slice(0, 40), head + stream.slice(0, 9), head + stream]

it.runIf(process.platform === 'linux')(
  'clients that leave anywhere leave nothing behind',
  async () => {
    backend = await startTestBackend({ certificates: await makeCertificates('edge') })
    const { engine } = backend
    engine.beforeBatch = (index) => (index === 1 ? new Promise(() => {}) : Promise.resolve())
    expect((await backend.fetch('/health')).status).toBe(200)
    const before = openFiles()
    for (let client = 0; client < 200; client++) {
      const stage = client % stages.length
      const socket = await backend.open()
      socket.on('error', () => {})
      socket.write(stages[stage]!)
      if (stage === stages.length - 1) await new Promise((resolve) => socket.once('data', resolve))
      socket.destroy()
    }
    await until(() => engine.running.size === 0 && openFiles() <= before)
    expect(engine.jobs).toHaveLength(50)
    expect((await backend.fetch('/health')).status).toBe(200)
  },
)
