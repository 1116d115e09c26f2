import { createHash } from 'node:crypto'
import type { PatchImage } from '../../model/model.ts'

/** Raised when the same patch bytes come to mean other features. */
const processingVersion = 1

/** Names an image's features by what they are made from. Tenants never share one. */
export function imageKey(tenant: string, { gridHw, patches }: PatchImage): string {
  return createHash('sha256')
    .update(`${processingVersion} ${gridHw.join(' ')} ${JSON.stringify(tenant)}\n`)
    .update(patches)
    .digest('base64')
}
