import type { ErrorCode } from '../../shared/api/errors.ts'

export type ImageProblemCode = Extract<
  ErrorCode,
  'empty_image' | 'invalid_image' | 'unsupported_image' | 'image_too_large'
>

/** An image file the client has to change. `message` completes "Cannot read image 2: ..." and is public. */
export class ImageProblem extends Error {
  override readonly name = 'ImageProblem'
  readonly code: ImageProblemCode

  constructor(code: ImageProblemCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
