import { readFileSync } from 'node:fs'
import { Anthropic } from '@anthropic-ai/sdk'
import { OpenAI } from 'openai'
import { afterAll, afterEach, beforeAll } from 'vitest'
import { ServiceError } from '../../../../shared/api/errors.ts'
import { createCertificates } from '../../../../shared/node/certificates/create-certificates.ts'
import { type NanoBackend, startNanoBackend } from '../../backends/nano-backend.ts'
import { FakeEngine } from '../../backends/test-backend.ts'
import type { EdgeSettings, RunningEdge } from '../edge-suite.ts'

export type StartEdge = (settings: EdgeSettings) => Promise<RunningEdge>

export const apiKey = 'door-key-3f9d0c7a51b2e6aa'
export const picture = readFileSync('test/golden/images/g01.png')
export const other = readFileSync('test/golden/images/g02.png')
export const dataUri = `data:image/png;base64,${picture.toString('base64')}`
export const question = 'What is in the picture?'
export const rules = { temperature: 0.8, top_p: 0.9, seed: 11 }

export const look = (url: string) => ({ type: 'image_url', image_url: { url } }) as const
export const say = (text: string) => ({ type: 'text', text }) as const
/** That question as messages. */
export const looking = [{ role: 'user' as const, content: [look(dataUri), say(question)] }]
/** A question about the picture for chat completions. */
export const asked = { model: 'kimi-vl', messages: looking, max_tokens: 24, ...rules }

/** How an answer may fail -> the code that its client reads. */
export const codes: Record<string, string> = {
  fails: 'engine_restarted',
  'is torn': 'backend_unavailable',
}

/** An edge in front of the little model, and the official clients of it, for all tests of a file. */
export class DoorStand {
  nano!: NanoBackend
  edge!: RunningEdge
  openai!: OpenAI
  anthropic!: Anthropic

  constructor(start: StartEdge) {
    beforeAll(() => this.#open(start))
    afterEach(() => {
      this.nano.script = undefined
    })
    afterAll(async () => {
      await this.edge.stop()
      await this.nano.stop()
    })
  }

  async #open(start: StartEdge): Promise<void> {
    const names = { server: ['localhost', '127.0.0.1'], client: 'edge' }
    const certificates = await createCertificates(names, Date.now())
    this.nano = await startNanoBackend(certificates, async () => new Response(picture))
    this.edge = await start({ apiKey, backendUrl: this.nano.url, certificates })
    this.anthropic = new Anthropic({ apiKey, baseURL: this.edge.url, maxRetries: 0 })
    this.openai = new OpenAI({ apiKey, baseURL: `${this.edge.url}/v1`, maxRetries: 0 })
  }

  post(path: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
    return fetch(this.edge.url + path, {
      method: 'POST',
      headers: { 'x-api-key': apiKey, 'content-type': 'application/json', ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    })
  }

  /** The same question through the native route. */
  async native(fields: Record<string, string | number>, images: readonly Uint8Array[]) {
    const form = new FormData()
    for (const [name, value] of Object.entries(fields)) form.append(name, String(value))
    for (const image of images) form.append('images', new Blob([Uint8Array.from(image)]))
    const response = await fetch(`${this.edge.url}/generate/image`, {
      method: 'POST',
      headers: { 'x-api-key': apiKey },
      body: form,
    })
    return (await response.json()) as { output: string; usage: { prompt_tokens: number } }
  }

  /** An answer that does not come to its end. */
  failing(how: string): FakeEngine {
    const script = new FakeEngine()
    script.beforeBatch = async (index) => {
      if (index !== 2) return
      if (how === 'fails') throw new ServiceError('engine_restarted', 'It was restarted')
      this.nano.backend.cutConnections()
    }
    return script
  }
}
