import type { ErrorCode } from '../../../shared/api/errors.ts'

export type ImageProblemCode = Extract<
  ErrorCode,
  'empty_image' | 'invalid_image' | 'unsupported_image' | 'image_too_large'
>

/**
 * A problem with an image file that the client has to solve. `message` completes "Cannot read image 2: ..." and is
 * public.
 */
export class ImageProblem extends Error {
  override readonly name = 'ImageProblem'
  readonly code: ImageProblemCode

  constructor(code: ImageProblemCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** Decoders describe problems in their own words; a client gets ours. */
export function damaged(cause?: unknown): ImageProblem {
  return new ImageProblem('invalid_image', 'the file is damaged or incomplete', { cause })
}

/** @param kind of image file that is valid but not supported, such as "JPEG with 12 bits a sample" */
export function unsupported(kind: string): ImageProblem {
  return new ImageProblem('unsupported_image', `${kind} is not supported`)
}
