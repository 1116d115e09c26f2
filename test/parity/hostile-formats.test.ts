/** Schemas that are meant to take long, sent by one key, hold up nobody else's answers. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { forwardHeaders } from '../../shared/forward/headers.ts'
import { startNanoBackend, type NanoBackend } from '../support/backends/nano-backend.ts'
import { makeCertificates } from '../support/backends/test-backend.ts'
import { hostileSchemas } from '../support/grammar/hostile-schemas.ts'

let nano: NanoBackend
beforeAll(async () => {
  nano = await startNanoBackend(await makeCertificates('edge'), () => {
    throw new Error('nothing is fetched here')
  })
})
afterAll(() => nano.stop())

async function ask(keyId: string, fields: Record<string, unknown>) {
  const response = await nano.backend.fetch('/generate/text', {
    method: 'POST',
    headers: { 'content-type': 'application/json', [forwardHeaders.keyId]: keyId },
    body: JSON.stringify({ prompt: 'Describe a picture.', max_tokens: 2, ...fields }),
  })
  const text = await response.text()
  return { status: response.status, text }
}

const formatOf = (schema: unknown) => ({
  response_format: { type: 'json_schema', json_schema: { name: 'a', schema } },
})

/** Asks with all hostile schemas, several at a time. @returns what was not answered as it should be */
async function askHostile(onAnswer: () => void): Promise<string[]> {
  const waiting = [...hostileSchemas]
  const faults: string[] = []
  const lane = async () => {
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      const [name, schema] = next
      const { status, text } = await ask('hostile', formatOf(schema))
      const isRefused = status === 400 && /"code":"invalid_(schema|json)"/.test(text)
      if (status !== 200 && !isRefused) faults.push(`${name}: ${status} ${text.slice(0, 200)}`)
      onAnswer()
    }
  }
  await Promise.all([lane(), lane(), lane(), lane()])
  return faults
}

it('answers others while hostile schemas of one key wait for their turns, and each of these', async () => {
  let left = hostileSchemas.length
  const hostile = askHostile(() => (left -= 1))
  const streams = Array.from({ length: 8 }, async (_, index) => {
    const { text } = await ask('patient', { stream: true, max_tokens: 30, seed: index })
    return [text.includes('event: end'), left > 0]
  })
  const constants = [7, 8, 9].map(async (value) => {
    const { text } = await ask('patient', { ...formatOf({ const: value }), max_tokens: 9 })
    const { output } = JSON.parse(text) as { readonly output: string }
    return [output, left > 0]
  })
  expect(await Promise.all(streams)).toEqual(streams.map(() => [true, true]))
  expect(await Promise.all(constants)).toEqual([7, 8, 9].map((value) => [`${value}`, true]))
  expect(await hostile).toEqual([])
  expect(left).toBe(0)
}, 300_000)
