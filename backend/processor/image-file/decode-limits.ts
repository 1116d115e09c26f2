/** Limits on the work of decoding, each with its reason. Those a client needs to know are in docs/api.md. */

/** Scans of one JPEG: encoders write 1 to 15, hand-made scripts some dozens. */
export const maxJpegScans = 200

/**
 * Times the scans of a JPEG may pass over all of its samples: the usual script of ten scans does 4 to 6 times. A pass takes
 * 0.7 s for 1,000 million samples.
 */
export const maxJpegPasses = 16

/** Samples that the scans of a JPEG may pass over in any case: 0.15 s of work. */
export const smallJpegScanSamples = 200_000_000

/** Milliseconds after which decoding is given up: an AVIF of 100 million pixels may take 25 s. */
export const maxDecodeMs = 60_000

/** Bytes that decoding takes for each pixel of the result: its own RGB, the same once more where it is turned, and buffers. */
export const resultBytesPerPixel = 6.5

/** Bytes a decoder holds for each pixel beside the result, at most; measured at 42 million pixels. */
export const decoderBytesPerPixel = { webp: 5, gif: 4, avif: 21.5 } as const

/** Bytes of a coefficient, which JPEGs of several scans keep for each of their samples until the last. */
export const coefficientBytes = 2

/** Milliseconds of decoding and scaling for each pixel: an estimate, replaced by the real time once that is over. */
export const estimatedMsPerPixel = 33e-6
