import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import type { ServerResponse } from 'node:http'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { DayUsage } from '../../../shared/api/administration/usage.ts'
import { routes } from '../../../shared/api/routes.ts'
import { formatEvent } from '../../../shared/api/wire/sse.ts'
import { formatUsageComment } from '../../../shared/forward/usage-comment.ts'
import { createCertificates } from '../../../shared/node/certificates/create-certificates.ts'
import { findFreePorts } from '../../../scripts/start/port.ts'
import { expectError } from '../expect-error.ts'
import { tlsSettings, writeCertificates } from '../edges/node-edge.ts'
import { answerJson, RecordingBackend } from '../backends/recording-backend.ts'
import { timings } from '../answer-timings.ts'

const rootKey = 'root-key-nobody-guesses-1'
const used = { prompt_tokens: 30, image_tokens: 0, completion_tokens: 7 }
const delta = formatEvent('delta', { text: 'A' }) + formatUsageComment(used)
const healthy = answerJson(200, { status: 'healthy' })
const end = formatEvent('end', {
  finish_reason: 'stop',
  usage: { ...used, cached_tokens: 0 },
  timings,
  request_id: 'r',
})

/** Behaviour of an edge that is asked to stop, on every platform. @param program its entry file */
export function describeDrain(
  platform: string,
  program: string,
  environment: Record<string, string> = {},
): void {
  describe(`a stop of the edge on ${platform}`, () => {
    let folder: string
    let port: number
    let backend: RecordingBackend
    let edge: ChildProcess

    beforeEach(async () => {
      const names = { server: ['localhost'], client: 'edge' }
      const certificates = await createCertificates(names, Date.now())
      folder = await writeCertificates(certificates)
      const wanted = { host: '127.0.0.1', port: 0, setting: 'PORT' }
      port = (await findFreePorts([wanted]))[0]!
      backend = await RecordingBackend.start(certificates)
    })
    afterEach(async () => {
      if (edge.exitCode === null && edge.signalCode === null) {
        edge.kill('SIGKILL')
        await once(edge, 'exit')
      }
      await backend.close()
      await rm(folder, { recursive: true })
    })

    const url = (path: string) => `http://127.0.0.1:${port}${path}`
    const isUp = () =>
      fetch(url('/health')).then(
        () => true,
        () => false,
      )
    const start = async (drainMs: number) => {
      edge = fork(program, {
        env: {
          API_KEY: rootKey,
          BACKEND_URL: backend.url,
          PORT: String(port),
          STATE_DIR: join(folder, 'state'),
          DRAIN_TIMEOUT_MS: String(drainMs),
          ...tlsSettings(folder),
          ...environment,
        },
        stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      })
      await expect.poll(isUp, { timeout: 20_000 }).toBe(true)
    }
    const ask = () =>
      fetch(url('/generate/text'), {
        method: 'POST',
        headers: { 'x-api-key': rootKey, 'content-type': 'application/json' },
        body: '{"prompt":"Hi","stream":true}',
      })
    /** A stream that has begun; `answer` is the backend's end of it. */
    const openStream = async () => {
      let answer!: ServerResponse
      backend.answer = (seen, response) => {
        // Probes of the edge reach it as well.
        if (seen.path === routes.health.path) return healthy(seen, response)
        answer = response
        response.writeHead(200, { 'content-type': 'text/event-stream' })
        response.write(delta)
        const ticking = setInterval(() => response.write(delta), 20)
        response.on('close', () => clearInterval(ticking))
      }
      const response = await ask()
      const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
      expect((await reader.read()).value).toContain('event: delta')
      const rest = async () => {
        let text = ''
        for (;;) {
          const { done, value } = await reader.read()
          if (done) return text
          text += value
        }
      }
      return { rest, finish: () => answer.end(end) }
    }
    const usage = async () => {
      const response = await fetch(url('/admin/usage'), { headers: { 'x-api-key': rootKey } })
      return ((await response.json()) as { usage: DayUsage[] }).usage
    }

    it('lets streams end whole, and answers meanwhile that it is about to end', async () => {
      await start(20_000)
      const { rest, finish } = await openStream()
      edge.kill('SIGTERM')
      const health = () => fetch(url('/health')).then((response) => response.json())
      await expect.poll(health).toEqual({ status: 'unavailable', reason: 'shutting_down' })
      const late = await ask()
      expect(Number(late.headers.get('retry-after'))).toBeGreaterThan(0)
      await expectError(late, 503, 'shutting_down')
      finish()
      expect((await rest()).endsWith(end)).toBe(true)
      expect(await once(edge, 'exit')).toEqual([0, null])
    })

    it('lets fifty streams end whole, takes no new one meanwhile, and ends', async () => {
      await start(30_000)
      const answers: ServerResponse[] = []
      backend.answer = (seen, response) => {
        if (seen.path === routes.health.path) return healthy(seen, response)
        response.writeHead(200, { 'content-type': 'text/event-stream' })
        response.write(delta)
        answers.push(response)
      }
      const streams = await Promise.all(Array.from({ length: 50 }, ask))
      const texts = Promise.all(streams.map((stream) => stream.text()))
      await expect.poll(() => answers.length).toBe(50)
      edge.kill('SIGTERM')
      const health = () => fetch(url('/health')).then(({ status }) => status)
      await expect.poll(health).toBe(503)
      await expectError(await ask(), 503, 'shutting_down')
      for (const answer of answers) answer.end(end)
      expect(new Set(await texts)).toEqual(new Set([delta + end]))
      expect(await once(edge, 'exit')).toEqual([0, null])
    })

    it('ends streams with an error when their time is up, and counts what they used', async () => {
      await start(100)
      const streams = [await openStream(), await openStream()]
      edge.kill('SIGTERM')
      for (const { rest } of streams) {
        const last =
          /event: error\ndata: \{.*"code":"shutting_down".*\}\n\n: failed shutting_down\n\n$/
        expect(await rest()).toMatch(last)
      }
      expect(await once(edge, 'exit')).toEqual([0, null])
      backend.answer = healthy
      await start(100)
      expect(await usage()).toMatchObject([{ requests: 2, errors: 2, unfinished_tokens: 74 }])
      // Killed, it would leave workerd behind.
      edge.kill('SIGTERM')
      await once(edge, 'exit')
    })

    it('ends at once at the second signal', async () => {
      await start(3_600_000)
      await openStream()
      edge.kill('SIGTERM')
      const health = () => fetch(url('/health')).then(({ status }) => status)
      await expect.poll(health).toBe(503)
      edge.kill('SIGTERM')
      expect(await once(edge, 'exit')).toEqual([1, null])
      const listens = () => health().then(Boolean, () => false)
      await expect.poll(listens).toBe(false)
    })
  })
}
