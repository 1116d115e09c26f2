/** Limits on the work of decoding, each with its reason. Those that matter to clients are in docs/api.md. */

/** Scans of one JPEG: encoders write 1 to 15, hand-made scan scripts a few dozen. */
export const maxJpegScans = 200

/**
 * How many times the scans of a JPEG may pass over all of its samples: the usual script of ten scans does so 4 to 6
 * times. One pass takes 0.7 s for 1,000 million samples.
 */
export const maxJpegPasses = 16

/** Samples that the scans of a JPEG may always pass over: 0.15 s of work. */
export const smallJpegScanSamples = 200_000_000

/** Milliseconds of a core after which decoding is abandoned: an AVIF of 100 million pixels may take 25 s. */
export const maxDecodeMs = 60_000

/** Milliseconds after which it is abandoned, however little processor time it got: long pictures give way to others. */
export const maxDecodeElapsedMs = 300_000

/** Bytes needed per pixel of the result: its RGB, a second copy while it is being rotated, and buffers. */
export const resultBytesPerPixel = 6.5

/** The most bytes per pixel that a decoder holds in addition to the result; measured at 42 million pixels. */
export const decoderBytesPerPixel = { webp: 5, gif: 4, avif: 21.5 } as const

/** Bytes of a coefficient. JPEGs with several scans keep the coefficients of all samples until the last scan. */
export const coefficientBytes = 2

/**
 * Milliseconds of a core that decoding and resizing take per pixel, at most: measured with noise of 6 million pixels.
 * Photos take half to three quarters of it. The actual time replaces the estimate afterwards.
 */
export const estimatedMsPerPixel = {
  jpeg: 40e-6,
  png: 70e-6,
  webp: 120e-6,
  gif: 75e-6,
  heif: 340e-6,
  tiff: 42e-6,
} as const

/** Milliseconds that one scan of a JPEG takes per sample. */
export const jpegScanMsPerSample = 0.7e-6
