import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemPackage } from '../../../../../test/support/system-package.ts'
import { type AskRequest, requestOf } from '../question.ts'
import { languages } from './snippets.ts'

const run = promisify(execFile)
const apiKey = 'snippet-key'
const names = ['plain.png', `it's "odd"; a,b.png`]
const hard = `It's "5" > 3 & \\ $HOME \`id\` @file <b> é \u{1F600}\nsecond line; end`
const settings = {
  system_prompt: '@/etc/passwd',
  temperature: 0,
  n: 2,
  response_format: {
    type: 'json_schema',
    json_schema: {
      name: 'answer',
      schema: { type: ['object', 'null'], additionalProperties: false },
    },
  },
} as const

const commands: Record<string, readonly [file: string, command: string, ...rest: string[]]> = {
  curl: ['ask.sh', 'sh'],
  TypeScript: ['ask.ts', process.execPath],
  Python: ['ask.py', 'python3'],
}
/** Why a language cannot be tried on this machine. */
const missing: Record<string, string | undefined> = {
  curl: await systemPackage('curl', () => run('curl', ['--version'])),
  Python: await systemPackage('python3-requests', () => run('python3', ['-c', 'import requests'])),
}

interface Asked {
  readonly path: string
  readonly key: string | undefined
  /** JSON unchanged; forms as names and values, with files as `name: content`. */
  readonly body: unknown
}

describe.each(languages)('a question for $name', ({ name, write }) => {
  const isMissing = missing[name] !== undefined
  const tried = isMissing ? `(${missing[name]})` : ''

  let folder: string
  let asked: Asked | undefined
  const server = createServer((incoming, outgoing) => {
    void readAsked(incoming).then((read) => {
      asked = read
      outgoing.setHeader('content-type', 'application/json')
      return outgoing.end('{"output": "A cat."}\n')
    })
  })
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'snippets-'))
    await writeFile(join(folder, 'package.json'), '{"type": "module"}')
    for (const picture of names) await writeFile(join(folder, picture), `bytes of ${picture}`)
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
  })
  afterAll(async () => {
    server.close()
    await rm(folder, { recursive: true })
  })

  const ask = async (request: AskRequest) => {
    const { port } = server.address() as AddressInfo
    const [file, command, ...rest] = commands[name]!
    await writeFile(join(folder, file), write(request, `http://127.0.0.1:${port}`))
    const env = { ...process.env, DESCRIBE_API_KEY: apiKey, NO_PROXY: '127.0.0.1' }
    const { stdout } = await run(command, [...rest, file], { cwd: folder, env })
    expect(stdout).toContain('A cat.')
    return asked
  }

  it.skipIf(isMissing)(`sends JSON as it is ${tried}`, async () => {
    const request = requestOf({ prompt: hard, pictures: [], settings })
    const body = { prompt: hard, ...settings }
    expect(await ask(request)).toEqual({ path: '/generate/text', key: apiKey, body })
  })

  it.skipIf(isMissing)(`sends addresses of pictures ${tried}`, async () => {
    const pictures = [{ kind: 'url', url: 'https://example.com/a.png?b=c&d' }] as const
    const body = { prompt: 'Hi', image_url: ['https://example.com/a.png?b=c&d'] }
    const request = requestOf({ prompt: 'Hi', pictures, settings: {} })
    expect(await ask(request)).toEqual({ path: '/generate/image_url', key: apiKey, body })
  })

  it.skipIf(isMissing)(`sends files as a form, whatever their names are ${tried}`, async () => {
    const pictures = names.map(
      (each) => ({ kind: 'file', file: new File([], each), thumbnail: undefined }) as const,
    )
    const request = requestOf({ prompt: hard, pictures, settings })
    expect(await ask(request)).toEqual({
      path: '/generate/image',
      key: apiKey,
      body: [
        // Forms use their own line endings.
        ['prompt', hard.replaceAll('\n', name === 'TypeScript' ? '\r\n' : '\n')],
        ['system_prompt', settings.system_prompt],
        ['temperature', '0'],
        ['n', '2'],
        ['response_format', JSON.stringify(settings.response_format)],
        ...names.map((each) => ['images', `bytes of ${each}`]),
      ],
    })
  })
})

async function readAsked(incoming: IncomingMessage): Promise<Asked> {
  const chunks: Buffer[] = []
  for await (const chunk of incoming) chunks.push(chunk as Buffer)
  const type = incoming.headers['content-type'] ?? ''
  const body = new Response(Buffer.concat(chunks), { headers: { 'content-type': type } })
  return {
    path: incoming.url ?? '',
    key: incoming.headers['x-api-key'] as string | undefined,
    body: type.includes('json') ? await body.json() : await entriesOf(await body.formData()),
  }
}

async function entriesOf(form: FormData): Promise<(readonly [string, string])[]> {
  const entries = Array.from(
    form,
    async ([field, value]) =>
      [field, typeof value === 'string' ? value : await value.text()] as const,
  )
  return Promise.all(entries)
}
