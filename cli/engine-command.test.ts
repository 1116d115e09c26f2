import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { startEngineStandIn, type EngineStandIn } from '../test/support/engines/engine-stand-in.ts'
import type { AnswerSource } from '../test/support/engines/wire.ts'
import { startNanoEngine } from '../test/support/engines/nano-engine.ts'

const started: EngineStandIn[] = []
afterEach(async () => {
  for (const engine of started.splice(0)) await engine.stop()
})

async function verify(url: string, settings: Readonly<Record<string, string>> = {}) {
  const child = spawn(process.execPath, ['cli/describe.ts', 'engine', 'verify', url], {
    env: { PATH: process.env['PATH'], ...settings },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const output = { stdout: '', stderr: '' }
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream].setEncoding('utf8').on('data', (data: string) => (output[stream] += data))
  }
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, ...output }
}

/** Thinks for 80 tokens, and leaves the markers in the text. */
const thoughtful: AnswerSource = async function* ({ n, max_tokens: maxTokens }) {
  const thought = ['◁think▷', ...Array.from({ length: 78 }, () => 'Hm. '), '◁/think▷']
  const said = [...thought, 'A red circle', ' on white.'].slice(0, maxTokens)
  for (const [index, text] of said.entries()) {
    for (let choice = 0; choice < n; choice++)
      yield { type: 'text', choice, text, tokens: index + 1 }
  }
  yield {
    type: 'end',
    endings: Array.from({ length: n }, () => ({ reason: 'stop' })),
    promptTokens: 27,
    cachedTokens: 0,
    completionTokens: n * said.length,
  }
}

describe('engine verify', () => {
  it('finds all well with an engine that has the model, and says what it measured', async () => {
    const engine = await startNanoEngine('vllm', { apiKey: 'of-the-engine' })
    started.push(engine)
    const settings = { ENGINE_API_KEY: 'of-the-engine' }
    const { code, stdout, stderr } = await verify(`${engine.url}/v1`, settings)
    expect(stderr).toBe('')
    expect(stdout).toMatch(/^engine: vllm 0\.32\.0$/m)
    expect(stdout).toMatch(
      /^ok +a red circle on white: first token after \d+ ms, then \d+ tokens\/s$/m,
    )
    expect(stdout).toMatch(/^ok +stopping when the client leaves: within \d+ ms$/m)
    expect(stdout).not.toMatch(/^(wrong|missing|unknown)/m)
    expect(stdout).toMatch(/^all well$/m)
    expect(code).toBe(0)
  }, 120_000)

  it('names what is wrong and what is missing', async () => {
    const engine = await startEngineStandIn({ kind: 'sglang' })
    started.push(engine)
    const { code, stdout } = await verify(engine.url)
    // The mock engine sees a red circle everywhere.
    expect(stdout).toMatch(/^wrong +a blue square on white: the answer lacks blue, square: /m)
    expect(stdout).toMatch(/^wrong +tokens of a prompt: 11 there, 27 by MODEL_PATH$/m)
    expect(stdout).toMatch(/^missing +seed: /m)
    expect(stdout).toMatch(/^missing +logprobs: /m)
    expect(stdout).toMatch(/^\d+ wrong$/m)
    expect(code).toBe(1)
  }, 120_000)

  it('has a model that thinks think before it judges the answer', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'Kimi-VL-A3B-Thinking-'))
    await cp('models/kimi-vl-nano', folder, { recursive: true })
    const engine = await startEngineStandIn({ kind: 'vllm', answer: thoughtful })
    started.push(engine)
    const { stdout } = await verify(engine.url, { MODEL_PATH: folder })
    await rm(folder, { recursive: true })
    expect(stdout).toMatch(/^ok +a red circle on white: /m)
    expect(stdout).toMatch(/^wrong +a blue square on white: .* "A red circle on white\."$/m)
  }, 120_000)

  it.each([
    ['http://127.0.0.1:1', {}, '/v1/models: no answer: ECONNREFUSED'],
    ['gpu-1:8000', {}, 'ENGINE_URLS'],
    ['http://127.0.0.1:1', { MODEL_PATH: 'nowhere' }, 'nowhere'],
  ])('says why it cannot ask %s with %j', async (url, settings, message) => {
    const { code, stderr } = await verify(url, settings)
    expect(stderr).toContain(message)
    expect(stderr).not.toMatch(/^\s+at /m)
    expect(code).toBe(1)
  })
})
