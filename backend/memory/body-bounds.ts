import { maxUploadBytes } from '../../shared/api/limits.ts'

/** MiB, the least UPLOAD_MEMORY_MB can be: two of the largest uploads, since one tenant may use half of it. */
export const leastUploadMemoryMb = (2 * maxUploadBytes) / 2 ** 20

/** MiB, the least DECODE_MEMORY_MB can be: an ordinary photo. */
export const leastDecodeMemoryMb = 64
