import { createHash } from 'node:crypto'
import type { PatchImage } from '../../model/model.ts'

/** Increased when the same patch bytes would give different features. */
const processingVersion = 1

/** Identifies an image's features by everything they are computed from. Tenants never share one. */
export function imageKey(tenant: string, { gridHw, patches }: PatchImage): string {
  return createHash('sha256')
    .update(`${processingVersion} ${gridHw.join(' ')} ${JSON.stringify(tenant)}\n`)
    .update(patches)
    .digest('base64')
}
