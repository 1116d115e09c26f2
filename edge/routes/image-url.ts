import { imageUrlFields, parseFields } from '../../shared/api/request.ts'
import { routes } from '../../shared/api/routes.ts'
import { fetchImages } from '../../shared/fetch/fetch-images.ts'
import { imageAffinity } from '../backends/affinity.ts'
import { mediaTypeOf } from '../body/media-type.ts'
import { readJson, readMultipartForm, readUrlForm } from '../body/read-fields.ts'
import { forward } from '../forward/forward.ts'
import { multipartBody } from '../forward/multipart.ts'
import { knownDemand } from '../limits/demand.ts'
import { metered } from '../limits/metered.ts'
import type { EdgeContext, EdgeHandler, Platform } from '../platform.ts'

/** `POST /generate/image_url`: fetches the images here, so that the backend never dials out, and uploads them to it. */
export function imageUrlRoute(platform: Platform): EdgeHandler {
  return async (c) => {
    const { image_url: urls, ...fields } = parseFields(imageUrlFields, await readBody(c))
    return metered(c, platform, knownDemand(fields, urls.length), async () => {
      const images = await fetchImages(urls, platform.fetchPublic, c.req.raw.signal)
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
