import { afterAll, beforeAll, expect, it } from 'vitest'
import type { GenerateAnswer } from '../../shared/api/events.ts'
import { parseEvents, type StreamEvents } from '../../shared/api/wire/sse.ts'
import { readTokenizerFile } from '../../backend/model/config/tokenizer-file.ts'
import { createCertificates } from '../../shared/node/certificates/create-certificates.ts'
import { type NanoBackend, startNanoBackend } from '../support/backends/nano-backend.ts'

const requests = 200

let nano: NanoBackend
beforeAll(async () => {
  const names = { server: ['localhost'], client: 'edge' }
  const certificates = await createCertificates(names, Date.now())
  const { tokenBytes } = await readTokenizerFile('models/kimi-vl-nano')
  const { bytes, starts } = tokenBytes
  const ids = [...starts.keys()].filter(
    (id) => starts[id + 1] === (starts[id] ?? 0) + 1 && (bytes[starts[id] ?? 0] ?? 0) > 0x7f,
  )
  bytesOfCharacters = Object.fromEntries(ids.map((id) => [id, 50]))
  nano = await startNanoBackend(certificates, () => Promise.reject(new Error('No internet')))
})
afterAll(() => nano.stop())

/** Tokens of one byte that only characters beyond ASCII have. */
let bytesOfCharacters: Record<string, number>
const ask = (fields: object) =>
  nano.backend.fetch('/generate/text', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(fields),
  })

/** Every other answer is made of the bytes of characters in any order: few are whole ones, most are cut. */
const fieldsOf = (seed: number) => ({
  ...(seed % 2 === 0 && { logit_bias: bytesOfCharacters }),
  prompt: `Describe number ${seed} in 中文 and 🔴.`,
  temperature: 2,
  top_p: 1,
  max_tokens: 4 + (seed % 20),
  seed,
})

it(`a stream is the whole answer, in text and usage, and cuts no character: ${requests} of ${requests}`, async () => {
  let characters = 0
  for (let seed = 0; seed < requests; seed++) {
    const [whole, stream] = await Promise.all([
      ask(fieldsOf(seed)).then((response) => response.json() as Promise<GenerateAnswer>),
      ask({ ...fieldsOf(seed), stream: true }),
    ])
    const texts: string[] = []
    let end: StreamEvents['end'] | undefined
    for await (const { event, data } of parseEvents(stream.body!)) {
      if (event === 'delta') texts.push((JSON.parse(data) as { text: string }).text)
      if (event === 'end') end = JSON.parse(data) as StreamEvents['end']
    }
    expect(texts.join('')).toBe(whole.output)
    const { cached_tokens: _cached, ...usage } = whole.usage
    expect(end).toMatchObject({ finish_reason: whole.finish_reason, usage })
    for (const text of texts) expect(text).not.toMatch(/\p{Surrogate}/u)
    characters += whole.output.replaceAll(/[\0-\x7f]/g, '').length
  }
  // Otherwise there was nothing to cut.
  expect(characters).toBeGreaterThan(requests)
}, 300_000)
