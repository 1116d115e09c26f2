import { ServiceError } from '../api/errors.ts'
import { fieldName } from '../api/request/form.ts'
import { maxFormFieldBytes, maxFormFields, maxImageBytes, maxImages } from '../api/limits.ts'
import { ChunkList } from '../bytes/chunk-list.ts'
import { boundaryOf } from './boundary.ts'
import { invalidMultipart } from './invalid-multipart.ts'
import { MultipartScanner } from './multipart-scanner.ts'
import type { PartHead } from './part-head.ts'
import { transferDecoder, type TransferDecoder } from './transfer-encoding.ts'

/** Characters of a caller's word that an error repeats. */
const maxQuotedChars = 40

export interface MultipartForm {
  /** Names as the client spelt them. */
  readonly fields: readonly (readonly [name: string, value: string])[]
  /** Whole files, in the order they were sent. */
  readonly files: readonly Uint8Array[]
}

interface OpenPart {
  readonly name: string
  readonly head: PartHead
  readonly isFile: boolean
  readonly decoder: TransferDecoder
  readonly chunks: ChunkList
  bytes: number
}

/**
 * Reads a multipart form as its bytes arrive. Everything is bounded: a piece is rejected as soon as it exceeds a
 * limit. A file without a name and without bytes is a file input left empty and counts as absent.
 */
export class FormReader {
  readonly #scanner: MultipartScanner
  readonly #fileFields: ReadonlySet<string>
  readonly #fields: [string, string][] = []
  readonly #files: Uint8Array[] = []
  #part: OpenPart | undefined
  #fieldBytes = 0
  #fileCount = 0

  /**
   * @param fileFields names under which files are accepted, the documented one first. A file's own name and declared
   * type are ignored
   * @throws {ServiceError} `invalid_multipart` without a boundary
   */
  constructor(contentType: string | null | undefined, fileFields: ReadonlySet<string>) {
    const boundary = boundaryOf(contentType)
    if (boundary === undefined) throw invalidMultipart('its boundary is missing or too long')
    this.#scanner = new MultipartScanner(boundary)
    this.#fileFields = fileFields
  }

  /**
   * @param chunk is partly kept and must not change afterwards
   * @throws {ServiceError} `invalid_multipart`; `body_too_large`; `too_many_images`; `invalid_field` for a file under
   * another name
   */
  push(chunk: Uint8Array): void {
    for (const event of this.#scanner.push(chunk)) {
      switch (event.type) {
        case 'part':
          this.#part = this.#open(event.head)
          break
        case 'bytes':
          if (this.#part !== undefined) this.#add(this.#part, this.#part.decoder.push(event.bytes))
          break
        case 'end':
          if (this.#part !== undefined) this.#close(this.#part)
          this.#part = undefined
          break
      }
    }
  }

  /** The form, once everything was pushed. @throws {ServiceError} `invalid_multipart` */
  end(): MultipartForm {
    this.#scanner.end()
    return { fields: this.#fields, files: this.#files }
  }

  #open(head: PartHead): OpenPart {
    const { name } = head
    if (name === undefined) throw invalidMultipart('a part has no name')
    const isFile = head.fileName !== undefined || this.#fileFields.has(fieldName(name))
    const decoder = transferDecoder(head.transferEncoding)
    // A file without a name may turn out to be an empty file input.
    if (isFile && isNamed(head)) this.#admitFile(name)
    return { name, head, isFile, decoder, chunks: new ChunkList(), bytes: 0 }
  }

  #add(part: OpenPart, bytes: Uint8Array): void {
    if (bytes.length === 0) return
    if (part.isFile && part.bytes === 0 && !isNamed(part.head)) this.#admitFile(part.name)
    part.chunks.push(bytes)
    part.bytes += bytes.length
    if (part.isFile) {
      if (part.bytes > maxImageBytes) throw fileTooLarge(this.#files.length)
      return
    }
    this.#fieldBytes += bytes.length
    if (this.#fieldBytes > maxFormFieldBytes) throw fieldsTooLarge()
  }

  #close(part: OpenPart): void {
    this.#add(part, part.decoder.end())
    const content = part.chunks.join()
    if (!part.isFile) {
      const count = this.#fields.push([part.name, decodeText(content, part.head.charset)])
      if (count > maxFormFields) throw invalidMultipart(`it has over ${maxFormFields} text fields`)
    } else if (part.bytes > 0 || isNamed(part.head)) this.#files.push(content)
  }

  #admitFile(name: string): void {
    if (!this.#fileFields.has(fieldName(name))) throw unexpectedFile(name, this.#fileFields)
    this.#fileCount += 1
    if (this.#fileCount > maxImages) throw tooManyImages()
  }
}

function isNamed({ fileName }: PartHead): boolean {
  return fileName !== undefined && fileName !== ''
}

function decodeText(bytes: Uint8Array, charset = 'utf-8'): string {
  try {
    return new TextDecoder(charset).decode(bytes)
  } catch (cause) {
    const quoted = charset.slice(0, maxQuotedChars)
    throw invalidMultipart(`the charset "${quoted}" of a part is not known`, cause)
  }
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
  const [expected] = fileFields
  const param = name.slice(0, maxQuotedChars)
  const message =
    expected === undefined
      ? `No file is expected here, but "${param}" is one`
      : `Send files as "${expected}", not as "${param}"`
  return new ServiceError('invalid_field', message, { param })
}
