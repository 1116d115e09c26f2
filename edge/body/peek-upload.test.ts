import { describe, expect, it } from 'vitest'
import { ServiceError } from '../../shared/api/errors.ts'
import { joinChunks } from '../../shared/bytes/join-chunks.ts'
import type { ClientBody } from './client-body.ts'
import { peekUpload } from './peek-upload.ts'

const bytes = (text: string) => new TextEncoder().encode(text)

/** A form with a prompt and one picture; its parts are separated by `boundary`. */
function upload(picture: Uint8Array, { boundary = 'b1', prompt = 'What is it?' } = {}): Uint8Array {
  return joinChunks([
    bytes(`--${boundary}\r\ncontent-disposition: form-data; name="prompt"\r\n\r\n${prompt}\r\n`),
    bytes(
      `--${boundary}\r\nContent-Disposition: form-data; name="images"; filename="a.png"\r\ncontent-type: image/png\r\n\r\n`,
    ),
    picture,
    bytes(`\r\n--${boundary}--\r\n`),
  ])
}

async function* inPieces(whole: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < whole.length; at += size) yield whole.subarray(at, at + size)
}

function bodyOf(whole: Uint8Array, size = 1_000): ClientBody {
  return { stream: inPieces(whole, size), length: whole.length, failure: () => undefined }
}

async function read({ stream }: ClientBody): Promise<Uint8Array> {
  if (stream instanceof Uint8Array) return stream
  const chunks: Uint8Array[] = []
  for await (const chunk of stream) chunks.push(chunk)
  return joinChunks(chunks)
}

const picture = (size: number, seed: number) =>
  Uint8Array.from({ length: size }, (_, at) => (at * 31 + seed) % 256)
/** What follows the dashes of the first line. */
const boundaryIn = (whole: Uint8Array) =>
  new TextDecoder().decode(whole.subarray(2, whole.indexOf(0x0d)))
const affinityOf = async (whole: Uint8Array, size?: number) =>
  (await peekUpload(bodyOf(whole, size), boundaryIn(whole))).affinity

describe('peekUpload()', () => {
  it('names a picture alike, whatever is asked about it and however it arrives', async () => {
    const one = await affinityOf(upload(picture(90_000, 1)))
    expect(one).toMatch(/^image:\d+$/)
    const again = upload(picture(90_000, 1), { boundary: 'other', prompt: 'And what is that?' })
    expect(await affinityOf(again, 777)).toBe(one)
    expect(await affinityOf(upload(picture(90_000, 2)))).not.toBe(one)
  })

  it('looks for the picture where files are, not in what a text says', async () => {
    const prompt = 'content-disposition: filename '.repeat(1_000)
    const one = upload(picture(90_000, 1), { prompt })
    const other = upload(picture(90_000, 2), { prompt })
    expect(await affinityOf(one)).toMatch(/^image:\d+$/)
    expect(await affinityOf(one)).not.toBe(await affinityOf(other))
  })

  it.each([
    ['a line that names files', '--x\r\n', 'content-disposition: filename '],
    [
      'headers that name files',
      '--x\r\n',
      'content-disposition: form-data; name="images"; filename="a" ',
    ],
  ])('passes over %s', async (_what, start, repeated) => {
    // A pattern that backtracks would take hours here.
    expect(
      await affinityOf(bytes(start + repeated.repeat(64_000 / repeated.length))),
    ).toBeUndefined()
  })

  it('names nothing where there is no picture', async () => {
    expect(await affinityOf(bytes('--b1--\r\n'))).toBeUndefined()
  })

  it('holds a small upload whole, so that it can be sent again', async () => {
    const whole = upload(picture(90_000, 1))
    const { body } = await peekUpload(bodyOf(whole), 'b1')
    expect(body.stream).toEqual(whole)
  })

  it.each([1_000, 200_000])('passes a large one through, in pieces of %i', async (size) => {
    const whole = upload(picture(3_000_000, 1))
    const { body, affinity } = await peekUpload(bodyOf(whole, size), 'b1')
    expect(body.stream).not.toBeInstanceOf(Uint8Array)
    expect(Buffer.compare(await read(body), whole)).toBe(0)
    expect([affinity, body.length]).toEqual([await affinityOf(whole), whole.length])
  })

  it('reports why an upload broke', async () => {
    const failure = new ServiceError('cancelled', 'The client left')
    const stream = (async function* () {
      yield bytes('--b1\r\n')
      throw new Error('aborted')
    })()
    const body = { stream, length: 1_000, failure: () => failure }
    await expect(peekUpload(body, 'b1')).rejects.toBe(failure)
  })
})
