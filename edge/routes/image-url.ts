import { startDeadline } from '../../shared/async/deadline.ts'
import { ServiceError } from '../../shared/api/errors.ts'
import { imageUrlFields, parseFields } from '../../shared/api/request.ts'
import { routes } from '../../shared/api/routes.ts'
import type { FetchedImage } from '../../shared/fetch/fetch-image.ts'
import { fetchImages } from '../../shared/fetch/fetch-images.ts'
import { imageAffinity } from '../backends/affinity.ts'
import { mediaTypeOf } from '../body/media-type.ts'
import { readJson, readMultipartForm, readUrlForm } from '../body/read-fields.ts'
import { forward } from '../calls/forward.ts'
import { multipartBody } from '../calls/multipart.ts'
import { runSignal } from '../calls/run-signal.ts'
import { knownDemand } from '../limits/demand.ts'
import type { RunMetered } from '../calls/call.ts'
import type { EdgeContext, EdgeHandler, Platform } from '../platform.ts'

/** `POST /generate/image_url`: fetches the images here, so that the backend never dials out, and uploads them to it. */
export function imageUrlRoute(platform: Platform, metered: RunMetered): EdgeHandler {
  return async (c) => {
    const { image_url: urls, ...fields } = parseFields(imageUrlFields, await readBody(c))
    return metered(c, knownDemand(fields, urls.length), async () => {
      const images = await fetchInTime(c, platform, urls)
      const { contentType, bytes } = multipartBody(fields, images)
      return forward(c, platform, {
        path: routes.image.path,
        contentType,
        contentLength: bytes.byteLength,
        body: bytes,
        affinity: images[0] && imageAffinity(images[0].bytes),
      })
    })
  }
}

/** What is left of the deadline counts here too; a run that goes on without its client goes on here too. */
async function fetchInTime(
  c: EdgeContext,
  platform: Platform,
  urls: readonly string[],
): Promise<FetchedImage[]> {
  const leftMs = Math.max(1, platform.deadlineMs - (platform.now() - c.get('startedAt')))
  const deadline = startDeadline(leftMs, runSignal(c))
  try {
    const source = { transport: platform.fetchPublic, hosts: platform.imageHosts }
    return await fetchImages(urls, source, deadline.signal)
  } catch (cause) {
    if (!deadline.expired) throw cause
    throw new ServiceError('deadline_exceeded', 'The request took longer than it may', { cause })
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
