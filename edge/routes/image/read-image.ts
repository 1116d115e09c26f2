import { ServiceError } from '../../../shared/api/errors.ts'
import { maxUploadBytes } from '../../../shared/api/limits.ts'
import { routes } from '../../../shared/api/routes.ts'
import { boundaryOf, maxBoundaryChars } from '../../../shared/multipart/boundary.ts'
import { passClientBody, passedOn } from '../../body/client-body.ts'
import { mediaTypeOf } from '../../body/media-type.ts'
import { peekUpload } from '../../body/peek-upload.ts'
import type { WebBody } from '../../body/web-pieces.ts'
import type { ReadCall } from '../../calls/run-call.ts'
import { uploadNeed } from '../../limits/demand.ts'

export interface ImageParts {
  /** Makes a web stream that the platform sends efficiently. */
  readonly webBody: WebBody
  /** Whether equal images should go to the same backend, which requires a look into the upload. */
  readonly stickyByContent: boolean
}

/** `POST /generate/image`: bytes pass through unchanged and are parsed once, by the backend. */
export function readImage({ webBody, stickyByContent }: ImageParts): ReadCall {
  return async (c) => {
    mediaTypeOf(c.req.raw.headers, ['multipart/form-data'])
    const boundary = boundaryOf(c.req.header('content-type'))
    if (boundary === undefined) {
      const message = `Content-Type multipart/form-data must name a boundary of 1 to ${maxBoundaryChars} printable ASCII characters`
      throw new ServiceError('unsupported_media_type', message)
    }
    const upload = passClientBody(c, maxUploadBytes)
    const { body, affinity } = stickyByContent
      ? await peekUpload(upload, boundary)
      : { body: upload, affinity: undefined }
    return {
      need: uploadNeed,
      message: () => ({
        path: routes.image.path,
        ...passedOn(c, body, webBody),
        affinity,
      }),
    }
  }
}
