import { ServiceError } from '../../shared/api/errors.ts'
import { maxFormFieldBytes, maxJsonBytes } from '../../shared/api/limits.ts'
import { formToObject } from '../../shared/api/form.ts'
import { parseJsonBytes } from '../../shared/api/parse-json.ts'
import type { EdgeContext } from '../platform.ts'
import { readClientBody } from './client-body.ts'

/** A JSON body. @throws {ServiceError} `invalid_json`, or as `readClientBody` */
export async function readJson(c: EdgeContext): Promise<unknown> {
  return parseJsonBytes(await readClientBody(c, maxJsonBytes))
}

/** A URL-encoded form, as the object a JSON client would have sent. */
export async function readUrlForm(c: EdgeContext): Promise<Record<string, unknown>> {
  const bytes = await readClientBody(c, maxJsonBytes)
  return formToObject(new URLSearchParams(new TextDecoder().decode(bytes)))
}

/** The same as multipart. @throws {ServiceError} `invalid_multipart`, also when it holds a file */
export async function readMultipartForm(c: EdgeContext): Promise<Record<string, unknown>> {
  const bytes = await readClientBody(c, maxFormFieldBytes)
  const headers = { 'content-type': c.req.header('content-type') ?? '' }
  // oxlint-disable-next-line typescript/no-deprecated -- advised against for large bodies; this one is small
  const form = await new Response(bytes, { headers }).formData().catch((cause: unknown) => {
    throw new ServiceError('invalid_multipart', 'The multipart body cannot be read', { cause })
  })
  const fields: [string, string][] = []
  form.forEach((value, name) => {
    if (typeof value !== 'string') throw unexpectedFile()
    fields.push([name, value])
  })
  return formToObject(fields)
}

function unexpectedFile(): ServiceError {
  const message =
    'This form takes no files: name image URLs as image_url, or send files to /generate/image'
  return new ServiceError('invalid_multipart', message)
}
