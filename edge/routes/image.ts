import { ServiceError } from '../../shared/api/errors.ts'
import { maxUploadBytes } from '../../shared/api/limits.ts'
import { routes } from '../../shared/api/routes.ts'
import { boundaryOf } from '../../shared/multipart/boundary.ts'
import { passClientBody, sendableBody } from '../body/client-body.ts'
import { peekUpload } from '../body/peek-upload.ts'
import { mediaTypeOf } from '../body/media-type.ts'
import { forward } from '../calls/forward.ts'
import { uploadDemand } from '../limits/demand.ts'
import type { RunMetered } from '../calls/call.ts'
import type { EdgeHandler, Platform } from '../platform.ts'

/** `POST /generate/image`: bytes pass through as they are, and are parsed once, by the backend. */
export function imageRoute(platform: Platform, metered: RunMetered): EdgeHandler {
  return async (c) => {
    mediaTypeOf(c.req.raw.headers, ['multipart/form-data'])
    const boundary = boundaryOf(c.req.header('content-type'))
    if (boundary === undefined) {
      const message = 'Content-Type multipart/form-data must name a boundary'
      throw new ServiceError('unsupported_media_type', message)
    }
    const upload = passClientBody(c, maxUploadBytes)
    // Several backends, and no better hint: worth a look.
    const { body, affinity } = platform.stickyByContent
      ? await peekUpload(upload, boundary)
      : { body: upload, affinity: undefined }
    const run = () =>
      forward(c, platform, {
        path: routes.image.path,
        body: sendableBody(c, body, platform.webBody),
        contentLength: body.length,
        affinity,
        bodyFailure: body.failure,
      })
    return metered(c, uploadDemand, run, { mayRunAhead: true })
  }
}
