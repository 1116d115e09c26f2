import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { describe, expect, it, onTestFinished } from 'vitest'
import { readLoadingLines, writeLoadingLine, type LoadingLine } from './loading-line.ts'

const lines: LoadingLine[] = [
  { text: 'a quarter', amount: { doneBytes: 1, totalBytes: 4 } },
  { text: 'half', amount: { doneBytes: 2, totalBytes: 4 } },
]

describe('the lines of a process that loads', () => {
  it('arrive as they were written, however they are cut', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'lines-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    const file = join(folder, 'pipe')
    const descriptor = openSync(file, 'w')
    for (const line of lines) writeLoadingLine(descriptor, line)
    closeSync(descriptor)

    const read: LoadingLine[] = []
    const pipe = Readable.from(readFileSync(file, 'utf8'))
    readLoadingLines(pipe, (line) => read.push(line))
    await expect.poll(() => read).toEqual(lines)
  })

  it('do no harm when nobody reads them', () => {
    const descriptor = openSync('/dev/null', 'r')
    closeSync(descriptor)
    expect(() => writeLoadingLine(descriptor, lines[0]!)).not.toThrow()
  })
})
