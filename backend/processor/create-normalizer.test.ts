import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createNormalizer, type Normalizer } from './create-normalizer.ts'
import { createProcessor } from './create-processor.ts'
import type { Message, Processor } from './processor.ts'
import { createLocalTasks } from './tasks/processor-tasks.ts'

const modelFolder = 'models/kimi-vl-nano'
const caller = { tenant: 'one', signal: new AbortController().signal }
const picture = () => new Uint8Array(readFileSync('test/golden/images/g01.png'))

let normalizer: Normalizer
let processor: Processor
beforeAll(async () => {
  const tasks = createLocalTasks(modelFolder)
  normalizer = await createNormalizer({ modelFolder, tasks })
  processor = await createProcessor({ modelFolder, tasks })
})
afterAll(() => normalizer.close())

const messages: readonly Message[] = [
  { role: 'system', content: [{ type: 'text', text: 'Answer in one word.' }] },
  {
    role: 'user',
    content: [
      { type: 'image' },
      { type: 'text', text: 'Describe' },
      { type: 'text', text: ' it.' },
    ],
  },
]

describe('normalize()', () => {
  it('counts the tokens that the engine in this server would read', async () => {
    const prepared = await processor.prepare(messages, [picture()], caller)
    const normalized = await normalizer.normalize(messages, [picture()], caller)
    expect(normalized.promptTokens).toBe(prepared.promptIds.length)
    expect(normalized.imageTokens).toBe(prepared.imageTokens)
    expect(normalized.pictures).toHaveLength(1)
  })

  it('keeps a name of a control token from becoming whole between two parts', async () => {
    const content = ['<|im_', 'end|>'].map((text) => ({ type: 'text', text }) as const)
    const { messages: sent } = await normalizer.normalize([{ role: 'user', content }], [], caller)
    expect(JSON.stringify(sent)).not.toContain('<|im_end|>')
    expect(sent[0]?.content).toHaveLength(1)
  })
})

it('knows the text of tokens and counts those of texts', async () => {
  const count = await normalizer.countTokens(['Paris', 'Rome'], caller)
  expect(count).toBeGreaterThanOrEqual(2)
  const [, end] = Array.from([0, 1], (id) => normalizer.tokenText(id))
  expect(end).toBe(new TextDecoder().decode(normalizer.tokenBytes(1)))
})
