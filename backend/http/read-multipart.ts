import { once } from 'node:events'
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { Busboy } from '@fastify/busboy'
import type { BusboyFileStream, BusboyInstance } from '@fastify/busboy'
import { ServiceError } from '../../shared/api/errors.ts'
import {
  maxFormFieldBytes,
  maxImageBytes,
  maxImages,
  maxUploadBytes,
} from '../../shared/api/limits.ts'
import { unlessAborted } from '../../shared/async/unless-aborted.ts'
import type { Exchange } from './exchange.ts'
import { readChunks } from './read-body.ts'

/** Text fields of one form: the API knows eight, one of which may come once per image; the rest is room for unknown ones. */
const maxFormFields = 64

/** Characters of a caller's field name that an error repeats. */
const maxParamChars = 40

/** Header lines of one part: clients send two or three. */
const maxPartHeaders = 20

interface MultipartBody {
  readonly fields: readonly (readonly [string, string])[]
  /** Whole files, in the order they were sent. */
  readonly files: readonly Uint8Array[]
}

interface MultipartOptions {
  /** Names under which files are welcome. A file's own name and stated type are never looked at. */
  readonly fileFields: ReadonlySet<string>
}

/**
 * A multipart body, read at the pace of its parsing.
 * @throws {ServiceError} `invalid_multipart`, `body_too_large`, `too_many_images`, `invalid_field` for a file under
 *   another name, or as `readChunks`
 */
export async function readMultipart(
  incoming: IncomingMessage,
  exchange: Exchange,
  options: MultipartOptions,
): Promise<MultipartBody> {
  const parser = openParser(incoming.headers, options)
  const failed = new AbortController()
  const body = collect(parser, options, (error) => failed.abort(error))

  for await (const chunk of readChunks(incoming, exchange, maxUploadBytes)) {
    const written = new Promise<void>((resolve) => parser.write(chunk, () => resolve()))
    await unlessAborted(written, failed.signal)
  }
  const finished = once(parser, 'finish')
  parser.end()
  await unlessAborted(finished, failed.signal)
  return body
}

function openParser(
  headers: IncomingHttpHeaders,
  { fileFields }: MultipartOptions,
): BusboyInstance {
  try {
    return new Busboy({
      headers: { ...headers, 'content-type': headers['content-type'] ?? '' },
      limits: {
        fieldSize: maxFormFieldBytes,
        fields: maxFormFields,
        fileSize: maxImageBytes,
        files: maxImages,
        parts: maxImages + maxFormFields,
        headerPairs: maxPartHeaders,
      },
      isPartAFile: (fieldName, _type, fileName) =>
        fileName !== undefined || (fieldName !== undefined && fileFields.has(fieldName)),
    })
  } catch (cause) {
    throw invalidMultipart('its boundary is missing', cause)
  }
}

/** Gathers what the parser finds into one growing body; the first thing wrong is told to `fail`. */
function collect(
  parser: BusboyInstance,
  { fileFields }: MultipartOptions,
  fail: (error: ServiceError) => void,
): MultipartBody {
  const fields: [string, string][] = []
  const files: Uint8Array[] = []
  let fieldBytes = 0

  parser.on('field', (name: string | undefined, value, _nameTruncated, valueTruncated) => {
    if (name === undefined) return fail(invalidMultipart('a part has no name'))
    fieldBytes += Buffer.byteLength(value)
    if (valueTruncated || fieldBytes > maxFormFieldBytes) return fail(fieldsTooLarge())
    fields.push([name, value])
  })
  parser.on('file', (name: string | undefined, stream) => {
    stream.on('error', (cause) => fail(invalidMultipart('it ends inside a file', cause)))
    if (name === undefined) fail(invalidMultipart('a part has no name'))
    else if (!fileFields.has(name)) fail(unexpectedFile(name, fileFields))
    const index = files.push(new Uint8Array()) - 1
    stream.on('limit', () => fail(fileTooLarge(index)))
    collectFile(stream, (file) => (files[index] = file))
  })
  parser.on('filesLimit', () => fail(tooManyImages()))
  parser.on('fieldsLimit', () => fail(invalidMultipart(`it has over ${maxFormFields} text fields`)))
  parser.on('partsLimit', () => fail(invalidMultipart('it has too many parts')))
  parser.on('error', (cause) => fail(invalidMultipart('it ends too early', cause)))
  return { fields, files }
}

function collectFile(stream: BusboyFileStream, done: (file: Uint8Array) => void): void {
  const chunks: Buffer[] = []
  stream.on('data', (chunk: Buffer) => chunks.push(chunk))
  stream.on('end', () => done(Buffer.concat(chunks)))
}

function invalidMultipart(what: string, cause?: unknown): ServiceError {
  return new ServiceError('invalid_multipart', `Cannot read the multipart body: ${what}`, { cause })
}

function fieldsTooLarge(): ServiceError {
  const message = `The text fields of the form are over the limit of ${maxFormFieldBytes} bytes together`
  return new ServiceError('body_too_large', message)
}

function fileTooLarge(index: number): ServiceError {
  const message = `Cannot read image ${index + 1}: it is over the limit of ${maxImageBytes} bytes`
  return new ServiceError('body_too_large', message, { param: 'images' })
}

function tooManyImages(): ServiceError {
  const message = `At most ${maxImages} images are allowed in one request`
  return new ServiceError('too_many_images', message, { param: 'images' })
}

function unexpectedFile(name: string, fileFields: ReadonlySet<string>): ServiceError {
  const expected = [...fileFields][0]
  const param = name.slice(0, maxParamChars)
  const message =
    expected === undefined
      ? `No file is expected here, but "${param}" is one`
      : `Send files as "${expected}", not as "${param}"`
  return new ServiceError('invalid_field', message, { param })
}
