/**
 * Link -> the largest magnitude that each of its channels had, behind norms relative to the median of its row: what a row loses to
 * its largest channel depends on that row alone. Links that were not measured are missing.
 */
export type ChannelMaxima = ReadonlyMap<string, Float32Array>
