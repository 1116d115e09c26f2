import { startDeadline } from '../../../shared/async/deadline.ts'
import { withoutDefaults } from '../../../shared/api/request/preset.ts'
import { imageUrlFields, parseFields } from '../../../shared/api/request/request.ts'
import { routes } from '../../../shared/api/routes.ts'
import type { FetchedImage, Transport } from '../../../shared/fetch/fetch-image.ts'
import { fetchImages } from '../../../shared/fetch/fetch-images.ts'
import type { HostRules } from '../../../shared/fetch/host-rules.ts'
import { imageAffinity } from '../../../shared/balance/affinity.ts'
import { mediaTypeOf } from '../../body/media-type.ts'
import { readJson, readMultipartForm, readUrlForm } from '../../body/read-fields.ts'
import { type Call, timeLeft } from '../../calls/call.ts'
import { deadlineExceeded } from '../../calls/call-errors.ts'
import type { EdgeContext } from '../../calls/context.ts'
import { multipartBody } from '../../calls/multipart.ts'
import type { ReadCall } from '../../calls/run-call.ts'
import { knownNeed } from '../../limits/demand.ts'

export interface ImageUrlParts {
  /** One HTTP exchange with the public internet. */
  readonly fetchPublic: Transport
  /** Hosts from which images may be fetched. */
  readonly imageHosts: HostRules
  /** Milliseconds that one request may take in total. */
  readonly deadlineMs: number
  /** Milliseconds, for measuring time spans. */
  readonly now: () => number
}

/** `POST /generate/image_url`: fetches the images here, so that the backend never dials out, and uploads them to it. */
export function readImageUrl(parts: ImageUrlParts): ReadCall {
  return async (c) => {
    const sent = await readBody(c)
    const { image_url: urls, ...fields } = parseFields(imageUrlFields, sent)
    return {
      need: knownNeed(fields, urls.length),
      async message() {
        c.var.call.phases.enter('fetch', parts.now())
        const images = await fetchInTime(c.var.call, parts, urls)
        const { contentType, chunks } = multipartBody(withoutDefaults(fields, sent), images)
        return {
          path: routes.image.path,
          contentType,
          contentLength: chunks.reduce((sum, { byteLength }) => sum + byteLength, 0),
          body: chunks,
          affinity: images[0] && imageAffinity(images[0].bytes),
        }
      },
    }
  }
}

/** The rest of the deadline applies here too, and a call that continues without its client continues here too. */
async function fetchInTime(
  call: Call,
  parts: ImageUrlParts,
  urls: readonly string[],
): Promise<FetchedImage[]> {
  const deadline = startDeadline(timeLeft(call, parts), call.signal)
  try {
    const hold = (bytes: number) => call.held?.hold(bytes)
    const source = { transport: parts.fetchPublic, hosts: parts.imageHosts, hold }
    return await fetchImages(urls, source, deadline.signal)
  } catch (cause) {
    if (!deadline.expired) throw cause
    throw deadlineExceeded(cause)
  } finally {
    deadline.release()
  }
}

function readBody(c: EdgeContext): Promise<unknown> {
  const mediaType = mediaTypeOf(c.req.raw.headers, [
    'application/json',
    'application/x-www-form-urlencoded',
    'multipart/form-data',
  ])
  switch (mediaType) {
    case 'application/json':
      return readJson(c)
    case 'application/x-www-form-urlencoded':
      return readUrlForm(c)
    case 'multipart/form-data':
      return readMultipartForm(c)
  }
}
