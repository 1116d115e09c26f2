import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { maxFormFieldBytes, maxFormFields, maxImageBytes, maxImages } from '../api/limits.ts'
import { FormReader, type MultipartForm } from './form-reader.ts'

const imageFields = new Set(['images', 'image'])
const latin1 = (text: string) => new Uint8Array(Buffer.from(text, 'latin1'))
const contents = (form: MultipartForm) => form.files.map((file) => Buffer.from(file).toString())

interface Options {
  readonly contentType?: string
  /** Bytes of each push. */
  readonly step?: number
  readonly fileFields?: ReadonlySet<string>
}

function read(body: string | Uint8Array, options: Options = {}): MultipartForm {
  const { contentType = 'multipart/form-data; boundary=b1', fileFields = imageFields } = options
  const reader = new FormReader(contentType, fileFields)
  const bytes = typeof body === 'string' ? latin1(body) : body
  const step = options.step ?? bytes.length
  for (let at = 0; at < bytes.length; at += step) reader.push(bytes.slice(at, at + step))
  return reader.end()
}

const part = (head: string, content: string) => `--b1\r\n${head}\r\n\r\n${content}\r\n`
const field = (disposition: string, content = 'Hi') =>
  part(`Content-Disposition: form-data; ${disposition}`, content)
const file = (disposition = 'name="images"; filename="a.png"', content = 'PNG') =>
  field(disposition, content)
const close = '--b1--\r\n'
const whole = field('name="prompt"') + file() + close
const isWhole = { fields: [['prompt', 'Hi']], files: [latin1('PNG')] }

describe('FormReader', () => {
  it.each([
    ['a form as browsers send it', whole],
    ['names without quotes, as .NET sends them', whole.replace('"prompt"', 'prompt')],
    ['no space after the semicolon', whole.replaceAll('form-data; name', 'form-data;name')],
    ['blanks behind the boundary', whole.replaceAll('--b1\r\n', '--b1 \t \r\n')],
    ['blanks behind the last boundary', whole.replace('--b1--', '--b1--  ')],
    ['a preamble and an epilogue', `This is MIME\r\n--b12\r\n${whole}--b1\r\nover\r\n`],
    ['no last line break', whole.slice(0, -2)],
    ['header names in any case', whole.replaceAll('Content-Disposition', 'CONTENT-disposition')],
    ['folded headers', whole.replaceAll('form-data; name', 'form-data;\r\n\t name')],
    ['line feeds only', whole.replaceAll('\r\n', '\n')],
    ['filename*', whole.replace('filename="a.png"', "filename*=UTF-8''%e2%82%ac.png")],
    ['a malformed filename*', whole.replace('filename="a.png"', "filename*=UTF-8''%zz")],
    ['a Windows path', whole.replace('a.png', String.raw`C:\new\a.png`)],
    ['quotes in a name', whole.replace('a.png', String.raw`a\"; name=\"b.png`)],
    ['a semicolon in a name', whole.replace('a.png', 'a;name=mask;.png')],
    ['Latin-1 in a name', whole.replace('a.png', 'caf\u00e9.png')],
    ['dates and sizes', whole.replace('filename', 'size=3; creation-date="x"; filename')],
    ['lengths of parts', whole.replaceAll('\r\n\r\n', '\r\nContent-Length: 2\r\n\r\n')],
    ['a file without a name', whole.replace('; filename="a.png"', '')],
    ['images[]', whole.replace('"images"', '"images[]"')],
    ['images[0]', whole.replace('"images"', '"images[0]"')],
    ['image', whole.replace('"images"', 'image')],
    [
      'an empty file input behind',
      whole.replace(close, file('name="images"; filename=""', '') + close),
    ],
    ['an empty file input before', file('name="images"; filename=""', '') + whole],
    ['an empty file input of another name', file('name="mask"; filename=""', '') + whole],
    ['7bit', whole.replaceAll('\r\n\r\n', '\r\nContent-Transfer-Encoding: 7BIT\r\n\r\n')],
  ])('reads %s, wherever its chunks are cut', (_name, body) => {
    for (const step of [undefined, 1, 2, 7, 64]) {
      expect(read(body, step === undefined ? {} : { step })).toEqual(isWhole)
    }
  })

  it.each([
    ['in quotes, with a space', 'a b', '"a b"'],
    ['of 200 characters', 'x'.repeat(200), 'x'.repeat(200)],
    ['with other parameters', 'b1', 'b1; charset=utf-8'],
    ['that is the beginning of a line', 'b', 'b'],
  ])('takes a boundary %s', (_name, boundary, spelt) => {
    const contentType = `multipart/form-data; version=1; Boundary=${spelt}`
    const body = whole.replace('Hi', 'Hi\r\n--bx')
    expect(read(body.replaceAll('--b1', `--${boundary}`), { contentType })).toEqual({
      ...isWhole,
      fields: [['prompt', 'Hi\r\n--bx']],
    })
  })

  it('leaves in a file what only looks like a delimiter', () => {
    const content = '\r\n--b\r\r\n--b12\r\n--b1-\r\n-b1--\n--b1--\r\n\r'
    for (const step of [1, 5, 1_000]) {
      expect(contents(read(file(undefined, content) + close, { step }))).toEqual([content])
    }
  })

  it.each(['\r\n', '\n'])('finds a delimiter at any distance, with %j', (lineBreak) => {
    for (let length = 0; length <= 100; length += 1) {
      const content = 'x'.repeat(length)
      const body = (file(undefined, content) + close).replaceAll('\r\n', lineBreak)
      expect(contents(read(body))).toEqual([content])
    }
  })

  it('reads parts without content, also where only one line break stands before the next', () => {
    const body = `--b1\r\nContent-Disposition: form-data; name=stop\r\n\r\n${field('name=prompt', '')}${close}`
    for (const step of [1, 1_000]) {
      expect(read(body, { step }).fields).toEqual([
        ['stop', ''],
        ['prompt', ''],
      ])
    }
  })

  it('counts a file as sent that has a name, and one that has bytes', () => {
    const named = file('name="images"; filename="a.png"', '')
    const unnamed = file('name="images"; filename=""')
    expect(contents(read(named + unnamed + close))).toEqual(['', 'PNG'])
  })

  it('reads a text in the character set it names', () => {
    const head =
      'Content-Disposition: form-data; name=prompt\r\nContent-Type: text/plain; charset="ISO-8859-1"'
    expect(read(part(head, 'caf\u00e9') + close).fields).toEqual([['prompt', 'café']])
  })

  it.each([
    ['base64', 'UE5H\r\nLi4u\r\nLg==\r\n', 'PNG....'],
    ['base64', 'UE5HLi4uLi4', 'PNG.....'],
    ['BASE64', '', ''],
    ['quoted-printable', 'P=4eG =\r\n=3D=  \r\n!', 'PNG =!'],
    ['binary', 'P=4e', 'P=4e'],
  ])('decodes %s %j', (encoding, content, decoded) => {
    const encode = (disposition: string) =>
      part(`Content-Disposition: ${disposition}\r\nContent-Transfer-Encoding: ${encoding}`, content)
    const body = encode('form-data; name=a') + encode('form-data; name=image; filename=a') + close
    for (const step of [1, 3, 1_000]) {
      const form = read(body, { step })
      expect([form.fields, contents(form)]).toEqual([[['a', decoded]], [decoded]])
    }
  })

  it.each(['empty_first-empty', 'empty_other-empty', 'empty_second-empty', 'indexed'])(
    'finds the one picture of %s',
    (name) => {
      const { files } = read(readFileSync(`test/cases/files/${name}.bin`))
      expect(files).toHaveLength(1)
      expect(Buffer.from(files[0]!).subarray(1, 4).toString()).toBe('PNG')
    },
  )

  const encoded = (encoding: string, content: string) =>
    part(
      `Content-Disposition: form-data; name=a\r\nContent-Transfer-Encoding: ${encoding}`,
      content,
    )
  it.each([
    ['an unknown transfer encoding', encoded('x-uuencode', 'x'), /"x-uuencode" of a part is not/],
    ['what is no base64', encoded('base64', 'P_5H'), /not the base64/],
    ['base64 behind its padding', encoded('base64', 'UA==UA=='), /not the base64/],
    ['a base64 character too many', encoded('base64', 'UE5HL') + close, /not the base64/],
    ['what is no quoted-printable', encoded('quoted-printable', '=4x'), /not the quoted-printable/],
    [
      'half a quoted-printable byte',
      encoded('quoted-printable', '=4') + close,
      /not the quoted-printable/,
    ],
    ['blanks in an encoded line', encoded('quoted-printable', '= a'), /not the quoted-printable/],
    [
      'an unknown charset',
      part('Content-Disposition: form-data; name=a\r\nContent-Type: a/b; charset=x-y', 'a') + close,
      /charset "x-y"/,
    ],
    ['a part without a name', part('Content-Disposition: form-data', 'a'), /a part has no name/],
    ['a part without headers', part('', 'a'), /a part has no name/],
    ['an attachment', part('Content-Disposition: attachment; name=a', 'a'), /a part has no name/],
    ['129 parts', field('name="images"; filename=""', '').repeat(129), /over 128 parts/],
    [
      'a header without end',
      `--b1\r\na: ${'a'.repeat(1_000_000)}`,
      /header of a part is over 16384 bytes/,
    ],
    ['too many fields', field('name=a').repeat(maxFormFields + 1) + close, /over 64 text fields/],
    ['a boundary that does not occur', whole.replaceAll('--b1', '--b2'), /boundary does not occur/],
    ['blanks without end behind a boundary', `--b1${' '.repeat(257)}\r\n`, /does not occur/],
    ['nothing', '', /boundary does not occur/],
    ['an end in a head', whole.slice(0, 30), /ends too early/],
    ['an end in a file', whole.slice(0, -10), /ends too early/],
    ['an end behind a part', field('name=prompt') + '--b1\r\n', /ends too early/],
    ['an end in the last boundary', whole.slice(0, -3), /ends too early/],
  ])('refuses %s', (_name, body, message) => {
    for (const step of [1, 4_096, body.length + 1]) {
      if (step === 1 && body.length > 100_000) continue
      expect(() => read(body, { step })).toThrow(
        expect.objectContaining({
          code: 'invalid_multipart',
          message: expect.stringMatching(message) as string,
        }),
      )
    }
  })

  it.each(['multipart/form-data', `multipart/form-data; boundary=${'b'.repeat(257)}`, null])(
    'refuses a Content-Type without a boundary, %#',
    (contentType) => {
      expect(() => new FormReader(contentType, imageFields)).toThrow(
        /boundary is missing or too long/,
      )
    },
  )

  it.each([
    ['a file under another name', file('name="mask"; filename="a.png"'), 'invalid_field', 'mask'],
    [
      'one of another name without its own',
      file('name=mask; filename=""'),
      'invalid_field',
      'mask',
    ],
    ['17 files', file().repeat(maxImages + 1), 'too_many_images', 'images'],
    [
      'a file over the limit',
      file(undefined, 'a'.repeat(maxImageBytes + 1)),
      'body_too_large',
      'images',
    ],
    [
      'fields over the limit',
      field('name=a', 'a'.repeat(maxFormFieldBytes + 1)),
      'body_too_large',
      undefined,
    ],
  ])('refuses %s', (_name, body, code, param) => {
    expect(() => read(body + close)).toThrow(expect.objectContaining({ code, param }))
  })

  it('takes as many files as are allowed, and file inputs left alone beside them', () => {
    const empty = field('name="images"; filename=""', '')
    const body = (file() + empty).repeat(maxImages) + close
    expect(read(body).files).toHaveLength(maxImages)
  })
})
