import * as z from 'zod'
import { clusterSettingsSchema } from '../cluster/cluster-settings.ts'

const { ENGINE_URLS, ENGINE_API_KEY, ENGINE_MODEL } = clusterSettingsSchema.shape

/** The backend's settings that matter for one engine. */
export const verifySettings = z.object({
  ENGINE_URLS: ENGINE_URLS.unwrap(),
  ENGINE_API_KEY,
  ENGINE_MODEL,
})
