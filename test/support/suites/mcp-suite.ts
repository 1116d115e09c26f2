import { readFileSync } from 'node:fs'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { ServiceError } from '../../../shared/api/errors.ts'
import { createCertificates } from '../../../shared/node/certificates/create-certificates.ts'
import type { EdgeSettings, RunningEdge } from './edge-suite.ts'
import { type NanoBackend, startNanoBackend } from '../backends/nano-backend.ts'
import { FakeEngine, until } from '../backends/test-backend.ts'

const apiKey = 'mcp-key-3f9d0c7a51b2e6aa'
const picture = readFileSync('test/golden/images/g01.png')
const base64 = picture.toString('base64')
const dataUri = `data:image/png;base64,${base64}`
const url = 'https://pictures.org/a.png'

/** What agents find at `/mcp`, wherever the edge runs: the protocol's own client against the little model. */
export function describeMcp(
  platform: string,
  start: (settings: EdgeSettings) => Promise<RunningEdge>,
): void {
  describe(`tools for agents on ${platform}`, () => {
    let nano: NanoBackend
    let edge: RunningEdge
    const clients: Client[] = []
    beforeAll(async () => {
      const names = { server: ['localhost', '127.0.0.1'], client: 'edge' }
      const certificates = await createCertificates(names, Date.now())
      nano = await startNanoBackend(certificates, async () => new Response(picture))
      edge = await start({ apiKey, backendUrl: nano.url, certificates })
    })
    afterEach(async () => {
      nano.script = undefined
      await Promise.all(clients.splice(0).map((client) => client.close()))
    })
    afterAll(async () => {
      await edge.stop()
      await nano.stop()
    })

    async function connect(mode: 'legacy' | 'auto', key = apiKey): Promise<Client> {
      const client = new Client({ name: 'test', version: '1' }, { versionNegotiation: { mode } })
      clients.push(client)
      const requestInit = { headers: { authorization: `Bearer ${key}` } }
      const address = new URL(`${edge.url}/mcp`)
      await client.connect(new StreamableHTTPClientTransport(address, { requestInit }))
      expect(client.getProtocolEra()).toBe(mode === 'auto' ? 'modern' : 'legacy')
      return client
    }

    const post = (body: unknown, headers: Record<string, string> = {}) =>
      fetch(`${edge.url}/mcp`, {
        method: 'POST',
        headers: {
          'x-api-key': apiKey,
          'content-type': 'application/json',
          accept: 'application/json, text/event-stream',
          ...headers,
        },
        body: typeof body === 'string' ? body : JSON.stringify(body),
      })

    const call = (name: string, given: object, id: number | string = 7) => ({
      jsonrpc: '2.0',
      id,
      method: 'tools/call',
      params: { name, arguments: given },
    })

    describe.each(['legacy', 'auto'] as const)('for a client in the mode %s', (mode) => {
      it('are listed and called, with pictures of every kind', { timeout: 30_000 }, async () => {
        const client = await connect(mode)
        const { tools } = await client.listTools()
        expect(tools.map(({ name }) => name)).toEqual([
          'describe_image',
          'ask_about_image',
          'extract_text',
          'compare_images',
        ])
        const ask = async (image: string) => {
          const given = { images: [image], question: 'What is this?', max_tokens: 8 }
          const answer = await client.callTool({ name: 'ask_about_image', arguments: given })
          expect(answer.isError).not.toBe(true)
          return answer
        }
        const linked = await ask(url)
        const { text, usage } = linked.structuredContent as {
          text: string
          usage: { image_tokens: number; completion_tokens: number }
        }
        expect(linked.content).toEqual([{ type: 'text', text }])
        expect(text).not.toBe('')
        expect(usage.image_tokens).toBeGreaterThan(0)
        expect(usage.completion_tokens).toBeLessThanOrEqual(8)
        for (const image of [dataUri, base64]) {
          expect((await ask(image)).structuredContent).toEqual(linked.structuredContent)
        }
        const others = [
          { name: 'describe_image', arguments: { image: dataUri, max_tokens: 4 } },
          { name: 'extract_text', arguments: { image: url, max_tokens: 4 } },
          { name: 'compare_images', arguments: { images: [dataUri, url], max_tokens: 4 } },
        ]
        for (const other of others) {
          const answer = await client.callTool(other)
          expect(answer).toMatchObject({ structuredContent: { finish_reason: 'length' } })
        }
      })

      it('report progress to a client that asks for it', async () => {
        nano.script = new FakeEngine()
        const told: unknown[] = []
        const client = await connect(mode)
        await client.callTool(
          { name: 'describe_image', arguments: { image: dataUri } },
          { onprogress: (progress) => told.push(progress) },
        )
        expect(told[0]).toMatchObject({ total: 300 })
      })

      it('report what is wrong as a result, with our code', async () => {
        const client = await connect(mode)
        const failing = async (image: unknown, more: object = {}) => {
          const given = { image, ...more }
          const answer = await client.callTool({ name: 'describe_image', arguments: given })
          expect(answer.isError).toBe(true)
          return (answer.content[0] as { text: string }).text
        }
        expect(await failing('/etc/passwd.png')).toMatch(/^invalid_field: image: .* reads no files/)
        expect(await failing('data:image/png;base64,AAAA')).toMatch(/^(un|in)\w+_image: /)
        expect(await failing('http://127.0.0.1/a.png')).toMatch(/^image_url_refused: /)
        expect(await failing(dataUri, { max_tokens: 0 })).toContain('max_tokens')
        nano.script = new FakeEngine()
        nano.script.beforeBatch = async (index) => {
          if (index === 2) throw new ServiceError('engine_restarted', 'It was restarted')
        }
        expect(await failing(dataUri)).toBe('engine_restarted: It was restarted')
      })

      it('free the slot when a call is cancelled', async () => {
        const script = new FakeEngine()
        nano.script = script
        script.beforeBatch = (index) => (index < 1 ? Promise.resolve() : new Promise(() => {}))
        const client = await connect(mode)
        const cancel = new AbortController()
        const given = { name: 'describe_image', arguments: { image: dataUri } }
        const answer = client.callTool(given, { signal: cancel.signal })
        answer.catch(() => undefined)
        await until(() => script.running.size === 1)
        cancel.abort()
        await expect(answer).rejects.toThrow(/abort/i)
        await until(() => script.running.size === 0)
        expect(script.running.size).toBe(0)
      })

      it('notify a client whose call is torn', async () => {
        const script = new FakeEngine()
        nano.script = script
        script.beforeBatch = async (index) => {
          if (index === 2) nano.backend.cutConnections()
        }
        const client = await connect(mode)
        const given = { name: 'describe_image', arguments: { image: dataUri } }
        await expect(client.callTool(given)).rejects.toMatchObject({
          code: -32_000,
          data: { code: 'backend_unavailable' },
        })
        // workerd notices with the next request that its idle connections were cut as well.
        while ((await post({ jsonrpc: '2.0', id: 1, method: 'tools/list' })).status === 503);
      })

      it('need a key that is valid', async () => {
        await expect(connect(mode, 'none-of-ours')).rejects.toThrow(/401|invalid_api_key/)
      })
    })

    it('cancel the call of one session only', async () => {
      const script = new FakeEngine()
      nano.script = script
      script.beforeBatch = (index) => (index < 1 ? Promise.resolve() : new Promise(() => {}))
      const open = async () => {
        const client = await connect('legacy')
        const cancel = new AbortController()
        const given = { name: 'describe_image', arguments: { image: dataUri } }
        client.callTool(given, { signal: cancel.signal }).catch(() => undefined)
        return cancel
      }
      const first = await open()
      await until(() => script.running.size === 1)
      const second = await open()
      await until(() => script.running.size === 2)
      first.abort()
      await until(() => script.running.size === 1)
      await new Promise((resolve) => setTimeout(resolve, 100))
      expect(script.running.size).toBe(1)
      second.abort()
      await until(() => script.running.size === 0)
    })

    it('are metered to the token, and bound by scopes and limits', async () => {
      const admin = async (path: string, body?: object) => {
        const response = await fetch(`${edge.url}/admin${path}`, {
          method: body === undefined ? 'GET' : 'POST',
          headers: { 'x-api-key': apiKey, 'content-type': 'application/json' },
          body: body === undefined ? null : JSON.stringify(body),
        })
        return response.json()
      }
      const limits = { images_per_day: 3, tokens_per_day: 100_000 }
      const { id, key } = (await admin('/keys', { scopes: ['image'], limits })) as {
        id: string
        key: string
      }
      const client = await connect('auto', key)
      const look = (images: string[], maxTokens = 3) =>
        client.callTool({
          name: 'ask_about_image',
          arguments: { images, question: 'What?', max_tokens: maxTokens },
        })
      const { usage } = (await look([dataUri, dataUri])).structuredContent as {
        usage: Record<string, number>
      }
      const wrong = await look([dataUri], 0)
      expect(wrong.isError).toBe(true)
      const forbidden = await look([url])
      expect(forbidden.content).toEqual([
        { type: 'text', text: 'forbidden_scope: The API key lacks the scope image_url' },
      ])
      await expect(look([dataUri, dataUri])).rejects.toThrow('quota_exceeded')
      const answer = (await admin(`/usage?key_id=${id}`)) as { usage: Record<string, number>[] }
      expect(answer.usage).toHaveLength(1)
      expect(answer.usage[0]).toMatchObject({ ...usage, images: 2 })
      const { key: writer } = (await admin('/keys', { scopes: ['text'] })) as { key: string }
      const response = await post({}, { 'x-api-key': writer })
      expect([response.status, await response.text()]).toEqual([
        403,
        expect.stringContaining('forbidden_scope'),
      ])
    })

    it('refuse before they run what is no message, in words of the protocol', async () => {
      const refused = async (body: unknown, headers: Record<string, string> = {}) => {
        const response = await post(body, headers)
        const { error, ...rest } = (await response.json()) as { error: { data: object } }
        expect(rest).toMatchObject({ jsonrpc: '2.0', id: null })
        return [response.status, (error.data as { code: string }).code]
      }
      expect(await refused('{')).toEqual([400, 'invalid_json'])
      expect(await refused([call('describe_image', { image: url })])).toEqual([400, 'invalid_json'])
      expect(await refused({}, { 'x-api-key': 'x' })).toEqual([401, 'invalid_api_key'])
      expect(await refused({}, { 'content-type': 'text/plain' })).toEqual([
        415,
        'unsupported_media_type',
      ])
      expect((await fetch(`${edge.url}/mcp`)).status).toBe(405)
    })

    it('take pictures that are far larger than the text of a request may be', async () => {
      const padded = Buffer.concat([picture, Buffer.alloc(3_000_000)]).toString('base64')
      for (const image of [padded, `data:image/png;base64,${padded}`]) {
        const given = { images: [image, url], question: 'Hm?', max_tokens: 2 }
        const response = await post(call('ask_about_image', given))
        const text = await response.text()
        expect(text).toContain('"finish_reason":"length"')
        expect(text).toMatch(/^: answering \[7\]\n\n(.|\n)*\n: end \d+ \d+ 2\n\n$/)
      }
    })
  })
}
