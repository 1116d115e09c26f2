import { afterAll, beforeAll, expect, it } from 'vitest'
import { residentBytes } from '../../shared/node/metrics/resident-bytes.ts'
import { endLaunch, startProduct, type Call, type Product } from './product.ts'
import { answerOf, formCall, goldenImage } from './requests.ts'

/** How often all forms are sent before memory is read again. */
const turns = 40

/** Bytes that a program may grow by meanwhile, whatever forms it was sent: a fraction of the 125 MB of them. */
const growthBytes = 16 * 2 ** 20

/** Rounds of turns, of which one must do. */
const rounds = 6

const type = 'multipart/form-data'
const form = (body: string, contentType = `${type}; boundary=x`): Call => ({
  headers: { 'content-type': contentType },
  body: new TextEncoder().encode(body),
})
const field = '--x\r\nContent-Disposition: form-data; name="prompt"'

/** What nobody can read, or nobody should. */
const forms: Readonly<Record<string, Call>> = {
  'no boundary': form(`${field}\r\n\r\nHi\r\n--x--\r\n`, type),
  'another boundary': form(`${field}\r\n\r\nHi\r\n--x--\r\n`, `${type}; boundary=y`),
  'no end': form(`${field}\r\n\r\n${'a'.repeat(1_000_000)}`),
  'ten thousand parts': form(`${field}\r\n\r\na\r\n`.repeat(10_000) + '--x--\r\n'),
  'a header of a megabyte': form(
    `${field}; filename="${'a'.repeat(2 ** 20)}"\r\n\r\nb\r\n--x--\r\n`,
  ),
  'a field sixty times': form(`${field}\r\n\r\na\r\n`.repeat(60) + '--x--\r\n'),
}

let product: Product
beforeAll(async () => {
  product = await startProduct({ EDGE: 'node' })
}, 120_000)
afterAll(() => endLaunch(product))

/** Of the programs that read what clients send. */
function memory(): Record<string, number> {
  const found = ['edge/node/main.mjs', 'backend/main.mjs'].map((program) => {
    const [one] = product.processes().filter(({ command }) => command.includes(program))
    return [program, residentBytes([one!.pid])]
  })
  return Object.fromEntries(found) as Record<string, number>
}

const refusals = new Set<string>()

async function sendAll(times: number): Promise<void> {
  for (let turn = 0; turn < times; turn += 1) {
    const sent = Object.entries(forms).flatMap(([what, call]) =>
      (['edge', 'backend'] as const).map(async (way) => {
        const response = await product[way]('/generate/image', call)
        await response.text()
        refusals.add(`${what}: ${response.status}`)
      }),
    )
    await Promise.all(sent)
  }
}

it('forms that cannot be read are refused, and leave no memory behind', async () => {
  // Until code is compiled and heaps have their size.
  await sendAll(turns)
  const growing = new Set(Object.keys(memory()))
  for (let round = 0; round < rounds && growing.size > 0; round += 1) {
    const before = memory()
    await sendAll(turns)
    const after = memory()
    // A leak grows by as much in every round. What waits for the garbage collector, or is kept by the allocator for
    // later, may come in any of them, and not in all.
    for (const program of growing) {
      if (after[program]! - before[program]! < growthBytes) growing.delete(program)
    }
  }
  for (const refusal of refusals) expect(refusal).toMatch(/: (400|413|415)$/)
  expect([...growing]).toEqual([])
  const call = formCall({ prompt: 'Describe this image.', temperature: 0 }, [
    ['a.png', goldenImage('g01.png')],
  ])
  const { output } = await answerOf(await product.edge('/generate/image', call))
  expect(output).toBe('A large red circle in the center on a white background.')
}, 180_000)
