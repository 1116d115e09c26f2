/** Seconds: from a question without a picture on fast hardware to a long answer on two cores. */
export const durationBuckets = [
  0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160, 320, 600,
]

/** Seconds between tokens: from a small model's step to a stream that others hold up. */
export const gapBuckets = [
  0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1, 2.5, 5, 10,
]

/** Seconds a token: as the conventions for generative AI have them, and slower machines. */
export const tokenBuckets = [
  0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5, 5,
]
