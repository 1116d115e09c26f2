import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { Client } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { createCertificates } from '../shared/node/certificates/create-certificates.ts'
import type { RunningEdge } from '../test/support/suites/edge-suite.ts'
import { type NanoBackend, startNanoBackend } from '../test/support/backends/nano-backend.ts'
import { startNodeEdge } from '../test/support/edges/node-edge.ts'
import { FakeEngine, until } from '../test/support/backends/test-backend.ts'

const apiKey = 'mcp-key-3f9d0c7a51b2e6aa'
const picture = 'test/golden/images/g01.png'
const other = 'test/golden/images/g02.png'

let nano: NanoBackend
let edge: RunningEdge
let folder: string
/** Agents that find the server by the state folder, by their mode: starting one takes a second. */
const agents: Partial<Record<'legacy' | 'auto', Promise<Client>>> = {}
const clients: Client[] = []
beforeAll(async () => {
  const names = { server: ['localhost', '127.0.0.1'], client: 'edge' }
  const certificates = await createCertificates(names, Date.now())
  const noWeb = () => Promise.reject(new Error('There is no network here'))
  nano = await startNanoBackend(certificates, noWeb)
  edge = await startNodeEdge({ apiKey, backendUrl: nano.url, certificates })
  folder = await mkdtemp(join(tmpdir(), 'mcp-command-'))
  await writeFile(join(folder, 'api-key'), apiKey)
  await writeFile(join(folder, 'running.json'), JSON.stringify({ url: edge.url, pid: process.pid }))
})
afterEach(() => {
  nano.script = undefined
})
afterAll(async () => {
  await Promise.all(clients.map((client) => client.close()))
  await edge.stop()
  await nano.stop()
  await rm(folder, { recursive: true })
})

/** An agent that starts the command, which finds the server by the state folder. */
async function connect(mode: 'legacy' | 'auto', environment: Record<string, string> = {}) {
  const client = new Client({ name: 'test', version: '1' }, { versionNegotiation: { mode } })
  clients.push(client)
  const env = { STATE_DIR: folder, ...environment }
  const command = { command: process.execPath, args: ['cli/describe.ts', 'mcp'], env }
  await client.connect(new StdioClientTransport(command))
  return client
}

const agent = (mode: 'legacy' | 'auto') => (agents[mode] ??= connect(mode))

const asking = (...images: string[]) => ({
  name: 'ask_about_image',
  arguments: { images, question: 'What is this?', max_tokens: 4 },
})

describe.each(['legacy', 'auto'] as const)(
  'the command mcp, for a client in the mode %s',
  (mode) => {
    it('looks at files of this machine as at what is sent along', async () => {
      const client = await agent(mode)
      expect(client.getProtocolEra()).toBe(mode === 'auto' ? 'modern' : 'legacy')
      const { tools } = await client.listTools()
      expect(tools).toHaveLength(4)
      const dataUri = `data:image/png;base64,${readFileSync(picture).toString('base64')}`
      const sent = await client.callTool(asking(dataUri))
      expect(sent).toMatchObject({ structuredContent: { finish_reason: 'length' } })
      for (const file of [picture, resolve(picture), `file://${resolve(picture)}`]) {
        const read = await client.callTool(asking(file))
        expect(read.structuredContent).toEqual(sent.structuredContent)
      }
      const two = await client.callTool({
        name: 'compare_images',
        arguments: { images: [picture, other], max_tokens: 4 },
      })
      expect(two.isError).not.toBe(true)
    })

    it('frees the slot when the agent cancels', async () => {
      const script = new FakeEngine()
      nano.script = script
      script.beforeBatch = (index) => (index < 1 ? Promise.resolve() : new Promise(() => {}))
      const client = await agent(mode)
      const cancel = new AbortController()
      const answer = client.callTool(asking(picture), { signal: cancel.signal })
      answer.catch(() => undefined)
      await until(() => script.running.size === 1)
      cancel.abort()
      await until(() => script.running.size === 0)
      await expect(answer).rejects.toThrow(/abort/i)
    })
  },
)

describe('the command mcp', () => {
  const textOf = async (client: Client, image: string) => {
    const { isError, content } = await client.callTool(asking(image))
    expect(isError).toBe(true)
    return (content[0] as { text: string }).text
  }

  it('lets nothing leave this machine that is no picture', async () => {
    const client = await agent('auto')
    const secret = join(folder, 'api-key')
    expect(await textOf(client, secret)).toBe(
      `invalid_field: ${secret} is not a picture of a known kind`,
    )
    expect(await textOf(client, folder)).toBe(`invalid_field: ${folder} is not a file`)
    expect(await textOf(client, '/nowhere/a.png')).toBe(
      'invalid_field: Cannot use /nowhere/a.png: there is no such file or folder (ENOENT)',
    )
    expect(await textOf(client, 'a.png')).toContain(`Cannot use ${resolve('a.png')}: `)
    const large = join(folder, 'large.png')
    await writeFile(large, Buffer.alloc(21 * 1024 * 1024))
    expect(await textOf(client, large)).toContain('over the limit of 20971520')
  })

  it('says what the server says, and when there is none', async () => {
    expect(await textOf(await agent('auto'), 'http://127.0.0.1/a.png')).toMatch(
      /^image_url_refused: /,
    )
    const stranger = await connect('auto', { DESCRIBE_API_KEY: 'none-of-ours' })
    expect(await textOf(stranger, picture)).toBe('invalid_api_key: The API key is not valid')
    const lost = await connect('auto', { DESCRIBE_URL: 'http://127.0.0.1:1' })
    expect(await textOf(lost, picture)).toMatch(
      /^backend_unavailable: Cannot reach http:\/\/127.0.0.1:1/,
    )
  })
})
