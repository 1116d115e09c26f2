import { execFileSync } from 'node:child_process'
import {
  closeSync,
  constants,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { LogSink } from './log-sink.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'log-sink-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

const lossLine = (lost: number) => `lost ${lost}`
const isLinux = process.platform === 'linux'

/** A pipe that holds little, and reads only when asked. */
function openPipe() {
  const path = join(folder, 'pipe')
  execFileSync('mkfifo', [path])
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  const writer = openSync(path, constants.O_WRONLY)
  const read = () => {
    const bytes = Buffer.alloc(2 ** 20)
    try {
      return bytes.toString('latin1', 0, readSync(reader, bytes))
    } catch {
      return ''
    }
  }
  return { reader, writer, read }
}

describe('LogSink', () => {
  it('writes lines in their order', async () => {
    const path = join(folder, 'log')
    const fd = openSync(path, 'a')
    const sink = new LogSink({ fd, lossLine })
    for (let line = 0; line < 500; line++) sink.write(`line ${line}\n`)
    expect(await sink.close(5_000)).toBe(true)
    closeSync(fd)
    const lines = readFileSync(path, 'utf8').trimEnd().split('\n')
    expect(lines).toEqual(Array.from({ length: 500 }, (_, line) => `line ${line}`))
  })

  it.runIf(isLinux)('counts what a full disk does not take', async () => {
    const fd = openSync('/dev/full', 'a')
    const sink = new LogSink({ fd, lossLine })
    for (let round = 0; round < 3; round++) {
      sink.write('a\n')
      sink.write('b\n')
      await wait(20)
    }
    expect(await sink.close(5_000)).toBe(true)
    expect(sink.lost).toBe(6)
    closeSync(fd)
  })

  it.runIf(isLinux)('counts what nobody reads any more', async () => {
    const { reader, writer } = openPipe()
    closeSync(reader)
    const sink = new LogSink({ fd: writer, lossLine })
    sink.write('a\n')
    expect(await sink.close(5_000)).toBe(true)
    expect(sink.lost).toBe(1)
    closeSync(writer)
  })

  it.runIf(isLinux)('waits for a reader that does not read, and says what was lost', async () => {
    const { reader, writer, read } = openPipe()
    const sink = new LogSink({ fd: writer, lossLine, maxWaitingBytes: 100_000 })
    const line = `${'x'.repeat(999)}\n`
    for (let count = 0; count < 500; count++) {
      sink.write(line)
      if (count % 50 === 0) await wait(5)
    }
    const { lost } = sink
    expect(lost).toBeGreaterThan(0)
    expect(await sink.close(20)).toBe(false)
    let text = ''
    await expect
      .poll(() => (text += read()).split(line).length - 1, { interval: 1 })
      .toBe(500 - lost)
    expect(text.replaceAll(line, '')).toBe(`lost ${lost}\n`)
    closeSync(reader)
    closeSync(writer)
  })

  it('says how many lines were lost with the next that is written, once', async () => {
    const path = join(folder, 'log')
    const fd = openSync(path, 'a')
    const sink = new LogSink({ fd, lossLine, maxWaitingBytes: 4 })
    for (const line of ['a\n', 'b\n', 'c\n', 'd\n', 'e\n']) sink.write(line)
    expect(sink.lost).toBe(2)
    await expect.poll(() => sink.lost).toBe(0)
    sink.write('f\n')
    await sink.close(5_000)
    closeSync(fd)
    expect(readFileSync(path, 'utf8')).toBe('a\nlost 2\nb\nc\nf\n')
  })

  it('writes what waits when the process ends at once', () => {
    const path = join(folder, 'log')
    const fd = openSync(path, 'a')
    const sink = new LogSink({ fd, lossLine })
    for (const line of ['a\n', 'b\n', 'c\n']) sink.write(line)
    sink.flushNow()
    closeSync(fd)
    expect(readFileSync(path, 'utf8')).toContain('b\nc\n')
  })
})
