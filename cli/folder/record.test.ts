import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { FolderRecord, type Described } from './record.ts'

let folder: string
let file: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'folder-record-'))
  file = join(folder, 'descriptions.jsonl')
})
afterEach(() => rmSync(folder, { recursive: true }))

const asked = { prompt: 'What is this?', max_tokens: 9 }
const entry = (name: string): Described => ({
  file: name,
  bytes: 10,
  modified_ms: 5,
  sha256: `hash of ${name}`,
  asked,
  at: '2026-01-01T00:00:00.000Z',
  output: 'A red\u2028circle.',
  finish_reason: 'stop',
})
const picture = { file: 'a.png', bytes: 10, modifiedMs: 5 }

/** Opens it, does something with it and closes it. */
async function withRecord<Result>(
  work: (record: FolderRecord) => Result | Promise<Result>,
  question = asked,
) {
  const record = await FolderRecord.open(file, question)
  try {
    return await work(record)
  } finally {
    record.close()
  }
}

describe('FolderRecord', () => {
  it('finds what an earlier run wrote about the same question and the same file', async () => {
    await withRecord((record) => record.append(entry('a.png')))
    await withRecord((record) => {
      expect(record.find(picture)).toEqual(entry('a.png'))
      expect(record.findContent('hash of a.png')).toEqual(entry('a.png'))
      expect(record.find({ ...picture, modifiedMs: 6 })).toBeUndefined()
      expect(record.find({ ...picture, file: 'b.png' })).toBeUndefined()
    })
    const other = { ...asked, prompt: 'What else?' }
    expect(await withRecord((record) => record.find(picture), other)).toBeUndefined()
    const reordered = { max_tokens: 9, prompt: 'What is this?' }
    expect(await withRecord((record) => record.find(picture), reordered)).toBeDefined()
  })

  it('counts the last line about a file', async () => {
    const { output: _output, ...facts } = entry('a.png')
    const refused = { ...facts, error: { code: 'internal', message: 'no' } }
    await withRecord((record) => {
      record.append(refused)
      record.append(entry('a.png'))
    })
    expect(await withRecord((record) => record.find(picture))).toEqual(entry('a.png'))
  })

  it('drops a last line that was cut off, wherever', async () => {
    const whole = `${JSON.stringify(entry('a.png'))}\n`
    const next = Buffer.from(JSON.stringify(entry('b.png')))
    for (const cut of [9, 60, next.length - 1]) {
      writeFileSync(file, Buffer.concat([Buffer.from(whole), next.subarray(0, cut)]))
      await withRecord((record) => {
        expect(record.find(picture)).toBeDefined()
        record.append(entry('c.png'))
      })
      expect(readFileSync(file, 'utf8')).toBe(`${whole}${JSON.stringify(entry('c.png'))}\n`)
    }
  })

  it('completes a last line without an end', async () => {
    const line = JSON.stringify(entry('a.png'))
    writeFileSync(file, line)
    await withRecord((record) => expect(record.find(picture)).toBeDefined())
    expect(readFileSync(file, 'utf8')).toBe(`${line}\n`)
  })

  it.each(['notes', 'notes\n', '{"file": "a.png"}\n', '{"file":\n'])(
    'leaves another file as it is: %j',
    async (text) => {
      writeFileSync(file, text)
      await expect(FolderRecord.open(file, asked)).rejects.toThrow(
        `Line 1 of ${file} is not from describe folder`,
      )
      expect(readFileSync(file, 'utf8')).toBe(text)
    },
  )

  it('lets one run write at a time', async () => {
    await withRecord(async () => {
      await expect(FolderRecord.open(file, asked)).rejects.toThrow('Another describe folder')
    })
    await withRecord(() => undefined)
  })
})
