import { formToObject, parseUrlForm } from '../../shared/api/request/form.ts'
import { maxFormFieldBytes, maxJsonBytes } from '../../shared/api/limits.ts'
import { parseJsonBytes } from '../../shared/api/wire/parse-json.ts'
import { FormReader } from '../../shared/multipart/form-reader.ts'
import type { EdgeContext } from '../calls/context.ts'
import { readClientBody } from './client-body.ts'

/** A JSON body. @throws {ServiceError} `invalid_json`, or as `readClientBody` */
export async function readJson(c: EdgeContext): Promise<unknown> {
  return parseJsonBytes(await readClientBody(c, maxJsonBytes))
}

/** A URL-encoded form as the object that a JSON client would have sent. */
export async function readUrlForm(c: EdgeContext): Promise<Record<string, unknown>> {
  return formToObject(parseUrlForm(await readClientBody(c, maxJsonBytes)))
}

/** The same as multipart; a file in it is rejected. @throws {ServiceError} as `FormReader` */
export async function readMultipartForm(c: EdgeContext): Promise<Record<string, unknown>> {
  const reader = new FormReader(c.req.header('content-type'), new Set())
  reader.push(await readClientBody(c, maxFormFieldBytes))
  return formToObject(reader.end().fields)
}
