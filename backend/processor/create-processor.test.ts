import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ServiceError } from '../../shared/api/errors.ts'
import { maxImages } from '../../shared/api/limits.ts'
import { createProcessor } from './create-processor.ts'
import type { Message, Processor } from './processor.ts'
import { createLocalTasks } from './tasks/processor-tasks.ts'
import type { ProcessorTasks } from './tasks/processor-tasks.ts'
import { createTaskPool } from './tasks/task-pool.ts'

interface GoldenRequest {
  id: string
  messages: { role: Message['role']; content: string | Record<string, string>[] }[]
  images: string[]
  grids: [number, number][]
  prompt_tokens: number
  prompt_ids: number[]
}

const modelFolder = 'models/kimi-vl-nano'
const goldens = JSON.parse(readFileSync('test/golden/model.json', 'utf8')) as GoldenRequest[]
const caller = { tenant: 'anyone', signal: new AbortController().signal }

const startPool = () =>
  createTaskPool({
    textWorker: fileURLToPath(new URL('./tasks/text-worker.ts', import.meta.url)),
    imageProcess: fileURLToPath(new URL('./image-process/image-process.ts', import.meta.url)),
    decodeMemoryBytes: 2 ** 31,
    modelFolder,
    threads: 2,
    tenantWeights: new Map(),
  })

function messagesOf({ messages }: GoldenRequest): Message[] {
  return messages.map(({ role, content }) => ({
    role,
    content:
      typeof content === 'string'
        ? [{ type: 'text', text: content }]
        : content.map((part) =>
            part['type'] === 'image' ? { type: 'image' } : { type: 'text', text: part['text']! },
          ),
  }))
}

const imageFile = (name: string) => new Uint8Array(readFileSync(`test/golden/images/${name}`))

function ask(images: number): Message[] {
  const parts = Array.from({ length: images }, () => ({ type: 'image' }) as const)
  return [{ role: 'user', content: [...parts, { type: 'text', text: 'What is this?' }] }]
}

describe.each([
  ['in this thread', () => createLocalTasks(modelFolder)],
  ['in worker threads', startPool],
])('createProcessor() with tasks %s', (_, startTasks) => {
  let processor: Processor
  beforeAll(async () => {
    processor = await createProcessor({ modelFolder, tasks: startTasks() })
  })
  afterAll(() => processor.close())

  it.each(goldens)('prepares the prompt of $id as the reference', async (golden) => {
    const files = golden.images.map(imageFile)
    const prompt = await processor.prepare(messagesOf(golden), files, caller)
    expect([...prompt.promptIds]).toEqual(golden.prompt_ids)
    expect(prompt.images.map(({ gridHw }) => gridHw)).toEqual(golden.grids)
    expect(prompt.images.map(({ patches }) => patches.length)).toEqual(
      golden.grids.map(([rows, columns]) => rows * columns * 588),
    )
    expect(prompt.imageTokens).toBe(
      golden.grids.reduce((sum, [rows, columns]) => sum + (rows * columns) / 4, 0),
    )
  })

  it('stops at <|im_end|> and [EOS], and tells text from control tokens', () => {
    expect(processor.stopIds).toEqual([1026, 1025])
    expect(processor.controlIdsFrom).toBe(1024)
  })

  it('names single tokens: text, parts of characters, control tokens', () => {
    expect(processor.tokenText(1026)).toBe('<|im_end|>')
    const names = Array.from({ length: 1024 }, (_item, id) => processor.tokenText(id))
    expect(names).toContain('a')
    expect(names.filter((name) => name === '\uFFFD').length).toBeGreaterThan(1)
  })

  it('gives text back', async () => {
    const text = '🖼️ et ceci est une pipe'
    const { promptIds } = await processor.prepare(
      [{ role: 'user', content: [{ type: 'text', text }] }],
      [],
      caller,
    )
    const detokenizer = processor.createDetokenizer()
    expect(detokenizer.push([...promptIds]) + detokenizer.flush()).toContain(text)
  })

  it('names the image at fault, and the reason', async () => {
    const good = () => imageFile('g01.png')
    const prepare = (file: Uint8Array) => processor.prepare(ask(2), [good(), file], caller)

    const fault = await prepare(new Uint8Array()).catch((error: unknown) => error)
    expect(fault).toBeInstanceOf(ServiceError)
    expect(fault).toMatchObject({
      code: 'empty_image',
      param: 'images',
      message: 'Cannot read image 2: the file is empty',
    })
    await expect(prepare(Buffer.from('no image'))).rejects.toMatchObject({
      code: 'unsupported_image',
    })
    await expect(prepare(imageFile('p05.png').subarray(0, 9_000))).rejects.toMatchObject({
      code: 'invalid_image',
      message: 'Cannot read image 2: the file is damaged or incomplete',
    })
    const long = await sharp({
      create: { width: 8_000, height: 13, channels: 3, background: 'red' },
    })
      .png()
      .toBuffer()
    await expect(prepare(long)).rejects.toMatchObject({
      code: 'image_too_large',
      message:
        'Cannot read image 2: the longer side of 8000 x 13 pixels, 8000, is over the limit of 7140',
    })
    await expect(processor.prepare(ask(1), [good()], caller)).resolves.toBeDefined()
  })

  it('takes one file for two images', async () => {
    const file = imageFile('g01.png')
    const { images } = await processor.prepare(ask(2), [file, file], caller)
    expect(images[0]).toEqual(images[1])
  })

  it('takes the most images a request may have without a warning', async () => {
    const warnings: Error[] = []
    const note = (warning: Error) => warnings.push(warning)
    process.on('warning', note)
    const files = Array.from({ length: maxImages }, () => imageFile('g01.png'))
    await processor.prepare(ask(maxImages), files, caller)
    process.off('warning', note)
    expect(warnings).toEqual([])
  })

  it('gives up when the caller leaves, and serves the next', async () => {
    const abort = new AbortController()
    const files = Array.from({ length: 4 }, () => imageFile('p06.png'))
    const leaving = processor.prepare(ask(4), files, { ...caller, signal: abort.signal })
    const failure = leaving.catch((error: unknown) => error)
    abort.abort()
    expect(await failure).toMatchObject({ code: 'cancelled' })
    await expect(processor.prepare(ask(1), [imageFile('g01.png')], caller)).resolves.toBeDefined()
  })

  it('passes on the reason of whoever ended the request', async () => {
    const reason = new ServiceError('deadline_exceeded', 'The request took too long')
    const signal = AbortSignal.abort(reason)
    const preparing = processor.prepare(ask(0), [], { ...caller, signal })
    await expect(preparing).rejects.toBe(reason)
  })

  it('refuses images the conversation does not name', async () => {
    await expect(processor.prepare(ask(0), [imageFile('g01.png')], caller)).rejects.toThrow(
      RangeError,
    )
  })
})

describe('createTaskPool()', () => {
  it('refuses work after it was closed, and fails running work', async () => {
    const processor = await createProcessor({ modelFolder, tasks: startPool() })
    const running = processor.prepare(ask(1), [imageFile('p06.png')], caller)
    const failure = running.catch((error: unknown) => error)
    await new Promise((resolve) => setImmediate(resolve))
    await processor.close()
    expect(await failure).toMatchObject({ code: 'shutting_down' })
    await expect(processor.prepare(ask(0), [], caller)).rejects.toMatchObject({
      code: 'shutting_down',
    })
  })
})

describe('createProcessor()', () => {
  const files = [
    'config.json',
    'preprocessor_config.json',
    'tokenizer_config.json',
    'tiktoken.model',
  ]
  async function brokenFolder(file: string, edit: (text: string) => string): Promise<string> {
    const folder = await mkdtemp(join(tmpdir(), 'processor-'))
    await Promise.all(files.map((name) => cp(join(modelFolder, name), join(folder, name))))
    await writeFile(join(folder, file), edit(await readFile(join(folder, file), 'utf8')))
    return folder
  }

  it.each([
    ['tokenizer_config.json', '"<|media_start|>"', '"<|media_begin|>"', '<|media_start|>'],
    ['tokenizer_config.json', '"[EOS]"', '"[END]"', '[EOS]'],
    ['preprocessor_config.json', 'in_token_limit', 'other', 'in_token_limit'],
    ['preprocessor_config.json', 'pad_input', 'other', 'pad_input'],
    ['preprocessor_config.json', 'image_mean', 'other', 'image_mean'],
  ])('names %s and what is wrong in it, and closes its tasks', async (file, from, to, named) => {
    const folder = await brokenFolder(file, (text) => text.replaceAll(from, to))
    let closed = false
    const tasks: ProcessorTasks = {
      ...createLocalTasks(folder),
      close: async () => {
        closed = true
      },
    }
    const failure = await createProcessor({ modelFolder: folder, tasks }).catch(
      (error: unknown) => error as Error,
    )
    expect((failure as Error).message).toContain(`${file}: `)
    expect((failure as Error).message).toContain(named)
    expect(closed).toBe(true)
    await rm(folder, { recursive: true })
  })

  it('also stops at the tokens that generation_config.json names', async () => {
    const folder = await brokenFolder('config.json', (text) => text)
    await writeFile(join(folder, 'generation_config.json'), '{"eos_token_id":[1026,1033]}')
    const tasks = createLocalTasks(folder)
    const processor = await createProcessor({ modelFolder: folder, tasks })
    expect(processor.stopIds).toEqual([1026, 1025, 1033])
    await rm(folder, { recursive: true })
  })
})
