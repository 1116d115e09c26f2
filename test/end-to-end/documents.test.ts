import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { endLaunch, startProduct, type Product } from './product.ts'

const run = promisify(execFile)

const readme = readFileSync('README.md', 'utf8')
const commands = [...readme.matchAll(/^```sh\n(curl [^]*?)\n```$/gm)].map(([, command]) => command!)
const isFetching = (command: string) => command.includes('image_url')

describe('README.md', () => {
  let product: Product
  beforeAll(async () => {
    product = await startProduct({})
  })
  afterAll(() => endLaunch(product))

  /** The command as written, but with the ports and the state folder of this test. */
  const pasted = async (command: string) => {
    const here = command
      .replaceAll('http://127.0.0.1:8787', product.url)
      .replaceAll('https://127.0.0.1:8443', product.backendUrl)
      .replaceAll('.local/', `${product.stateDir}/`)
    return (await run('bash', ['-c', `set -e\n${here}`])).stdout
  }

  it('has a command for each endpoint, for streaming and for direct calls', () => {
    expect(commands).toHaveLength(5)
  })

  it.each(commands.filter((command) => !isFetching(command)))(
    'tells the truth: %s',
    async (command) => {
      // It occurs both in JSON and in the last event of a stream.
      expect(await pasted(command)).toContain('"finish_reason":"stop"')
    },
  )

  it.each(commands.filter(isFetching))('is understood: %s', async (command) => {
    // Whether the picture can be fetched depends on the network; that the server tried does not.
    expect(await pasted(command)).toMatch(/"output":|"code":"image_fetch_/)
  })

  it('shows the answer that is given', async () => {
    const shown = /"output": (".*")/.exec(readme)![1]!
    expect(await pasted(commands[0]!)).toContain(JSON.parse(shown))
  })

  it('has a command that asks with OpenAI’s client', async () => {
    const [, command] = /^```sh\n(OPENAI_[^]*?)\n```$/m.exec(readme)!
    expect(await pasted(command!)).toMatch(/\w+ \w+.*\n$/)
  })

  it('has a configuration with which an agent sees', async () => {
    const [, command] = /^```sh\n(cat <<END[^]*?)\n```$/m.exec(readme)!
    const { mcpServers } = JSON.parse(await pasted(command!)) as {
      mcpServers: { describe: { url: string; headers: Record<string, string> } }
    }
    const { url, headers } = mcpServers.describe
    const client = new Client({ name: 'test', version: '1' })
    await client.connect(
      new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } }),
    )
    const image = `data:image/png;base64,${readFileSync('docs/sample.png').toString('base64')}`
    const answer = await client.callTool({ name: 'describe_image', arguments: { image } })
    await client.close()
    expect(answer.structuredContent).toMatchObject({
      text: expect.stringMatching(/circle/) as string,
      finish_reason: 'stop',
    })
  })

  it('has a command that describes a folder', async () => {
    const [, command] = /^```sh\n(npx describe folder [^]*?)\n```$/m.exec(readme)!
    const record = join(product.stateDir, 'descriptions.jsonl')
    const here = `DESCRIBE_URL=${product.url} DESCRIBE_API_KEY=$(cat .local/api-key) ${command!}`
    const described = await pasted(here.replace('/tmp/descriptions.jsonl', record))
    expect(described.split('\n')).toHaveLength(4)
    expect(readFileSync(record, 'utf8')).toMatch(/"output":".*circle/)
  })

  it('shows errors as they are', async () => {
    const shown = /"error": \{[^]*?\}/.exec(readme)![0]
    const { error } = JSON.parse(`{${shown}}`) as { error: Record<string, unknown> }
    const response = await product.edge('/generate/text', {
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ prompt: 'Hello!', temperature: -1 }),
    })
    const given = (await response.json()) as { error: Record<string, unknown> }
    expect({ ...given.error, request_id: error['request_id'] }).toEqual(error)
  })
})

describe('docs/architecture.md', () => {
  it('names only files that exist', () => {
    const text = readFileSync('docs/architecture.md', 'utf8')
    const names = [...text.matchAll(/\b[\w.-]+\/[\w./-]+\.(?:ts|mjs)\b/g)].map(([name]) => name)
    expect(names.length).toBeGreaterThan(30)
    expect(names.filter((name) => !existsSync(name))).toEqual([])
  })
})
