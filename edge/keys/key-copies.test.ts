import { afterEach, describe, expect, it, vi } from 'vitest'
import type { LogLine } from '../../shared/log/log-line.ts'
import { copyReader, CopyWriter, type CopyNamespace } from './key-copies.ts'
import { sealCopy } from './key-copy.ts'
import type { KeyRecord } from './key-record.ts'

afterEach(() => vi.useRealTimers())

const checkSecret = 'secret'
const record: KeyRecord = {
  id: 'a',
  version: 1,
  note: '',
  scopes: ['text'],
  limits: {},
  createdAt: 1,
  expiresAt: null,
  revokedAt: null,
  hash: 'hash',
  previous: null,
}

/** A namespace in memory whose failures the test controls. */
function setUp() {
  const clock = { ms: 1_000_000 }
  const texts = new Map<string, string>()
  const network = { down: false, puts: 0 }
  const reach = () => {
    if (network.down) throw new Error('KV is away')
  }
  const namespace: CopyNamespace = {
    async get(name) {
      reach()
      return texts.get(name) ?? null
    },
    async put(name, text) {
      network.puts += 1
      reach()
      texts.set(name, text)
    },
    async delete(name) {
      reach()
      texts.delete(name)
    },
  }
  const lines: LogLine[] = []
  const log = (line: LogLine) => void lines.push(line)
  const writer = new CopyWriter({ namespace, checkSecret, now: () => clock.ms, log })
  return { clock, texts, network, lines, namespace, writer, read: copyReader(namespace, log) }
}

describe('copyReader()', () => {
  it('reads what the writer wrote, and nothing once it is removed', async () => {
    const { lines, read, writer } = setUp()
    await writer.write(record, 4)
    expect(await read('a', checkSecret)).toEqual({ record, asOf: 4 })
    await writer.remove('a')
    expect(await read('a', checkSecret)).toBeUndefined()
    expect(lines).toEqual([])
  })

  it('finds nothing in a copy that is not genuine, and says so once', async () => {
    const { lines, read, texts } = setUp()
    texts.set('key:a', JSON.stringify({ record, asOf: 4 }))
    texts.set('key:b', await sealCopy({ record, asOf: 4 }, checkSecret))
    for (const id of ['a', 'b', 'a']) expect(await read(id, checkSecret)).toBeUndefined()
    const message = 'The copy of a key is not genuine'
    expect(lines).toEqual([{ level: 'error', message, key_id: 'a', detail: null }])
  })

  it('finds nothing when KV fails or does not answer, and says so once', async () => {
    vi.useFakeTimers()
    const { lines, namespace, network, read } = setUp()
    network.down = true
    expect(await read('a', checkSecret)).toBeUndefined()
    namespace.get = () => new Promise(() => undefined)
    const pending = read('a', checkSecret)
    await vi.advanceTimersByTimeAsync(500)
    expect(await pending).toBeUndefined()
    expect(lines).toMatchObject([{ message: 'The copy of a key cannot be read' }])
  })
})

describe('CopyWriter', () => {
  it('does not fail when KV does, and says so once', async () => {
    const { lines, network, writer } = setUp()
    network.down = true
    await writer.write(record, 1)
    await writer.remove('a')
    expect(lines).toMatchObject([{ message: 'The copy of a key cannot be written' }])
  })

  it('repairs a copy, but no more than once a minute', async () => {
    const { clock, network, read, texts, writer } = setUp()
    await writer.repair(record, 2)
    texts.clear()
    clock.ms += 59_999
    await writer.repair(record, 3)
    expect(network.puts).toBe(1)
    clock.ms += 1
    await writer.repair(record, 3)
    expect(await read('a', checkSecret)).toMatchObject({ asOf: 3 })
  })

  it('repairs at once when the clock was set back', async () => {
    const { clock, network, writer } = setUp()
    await writer.write(record, 1)
    clock.ms -= 3_600_000
    await writer.repair(record, 1)
    expect(network.puts).toBe(2)
  })
})
