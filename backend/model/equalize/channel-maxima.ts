/** Link -> the largest magnitude that each of its channels had. Links that were not measured are missing. */
export type ChannelMaxima = ReadonlyMap<string, Float32Array>
