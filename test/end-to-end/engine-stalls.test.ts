import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { heartbeatText, parseEvents } from '../../shared/api/wire/sse.ts'
import { startEngineStandIn, type EngineStandIn } from '../support/engines/engine-stand-in.ts'
import type { Misbehaviour } from '../support/engines/misbehaviour.ts'
import { eventually } from './eventually.ts'
import { endLaunch, startProduct, type Product } from './product.ts'
import { answerOf, jsonCall } from './requests.ts'

const question = { prompt: 'What is it?', temperature: 0 }
const contextTokens = 4_096

/** With the limits of time that the product has, unlike the faults that end without waiting. */
describe('engines that stall with ENGINE=openai', () => {
  let product: Product
  let engines: EngineStandIn[]
  beforeAll(async () => {
    engines = await Promise.all(
      [1, 2].map(() => startEngineStandIn({ kind: 'vllm', contextTokens })),
    )
    const urls = engines.map(({ url }) => url).join()
    product = await startProduct({ EDGE: 'node', ENGINE: 'openai', ENGINE_URLS: urls })
  }, 120_000)
  afterAll(async () => {
    await endLaunch(product)
    await Promise.all(engines.map((engine) => engine.stop()))
  })

  const asked = () => engines.reduce((sum, { bodies }) => sum + bodies.length, 0)

  /** The whole text of a stream while engines do this wrong. */
  async function streamThat(wrong: Misbehaviour): Promise<string> {
    for (const engine of engines) engine.wrong = wrong
    const call = jsonCall({ ...question, stream: true })
    return (await product.edge('/generate/text', call)).text()
  }

  it('have their context shown, where it is smaller than that of the model', async () => {
    const response = await product.edge('/v1/models', { method: 'GET' })
    const { data } = (await response.json()) as { data: { context_length: number }[] }
    expect(data.map(({ context_length }) => context_length)).toEqual(data.map(() => contextTokens))
  })

  it('leave a stream its heartbeat until their time is up, and then an error', async () => {
    const before = asked()
    const torn = streamThat('stall_mid_stream')
    await eventually(() => asked() === before + 1)
    const silent = streamThat('stall_before_headers')
    const texts = await Promise.all([torn, silent])
    for (const text of texts) {
      // One in ten seconds, and half a minute at least before an engine is given up.
      expect(text.split(heartbeatText).length - 1).toBeGreaterThanOrEqual(2)
      const events = await namesOf(text)
      expect(events.at(0)).toBe('queued')
      expect(events.at(-1)).toBe('error')
      expect(text).toContain('"code":"engine_restarted"')
    }
    const [tornNames, silentNames] = await Promise.all(texts.map(namesOf))
    expect(tornNames).toContain('delta')
    expect(silentNames).toEqual(['queued', 'error'])
    // The silent one was tried on the other engine too; the one that had begun was not.
    expect(asked()).toBe(before + 3)

    for (const engine of engines) engine.wrong = undefined
    await eventually(
      async () => (await product.backend('/readyz', { method: 'GET' })).status === 200,
    )
    const { output } = await answerOf(await product.edge('/generate/text', jsonCall(question)))
    expect(output).toBe('A red circle on white.')
  }, 240_000)
})

/** The names of a stream's events, in order. */
async function namesOf(text: string): Promise<string[]> {
  const names: string[] = []
  for await (const { event } of parseEvents(new Blob([text]).stream())) names.push(event)
  return names
}
