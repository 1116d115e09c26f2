import { generateFields, parseFields } from '../../shared/api/request.ts'
import { routes } from '../../shared/api/routes.ts'
import { textAffinity } from '../backends/affinity.ts'
import { mediaTypeOf } from '../body/media-type.ts'
import { readJson } from '../body/read-fields.ts'
import { forward } from '../calls/forward.ts'
import { knownDemand } from '../limits/demand.ts'
import type { RunMetered } from '../calls/call.ts'
import type { EdgeHandler, Platform } from '../platform.ts'

/** `POST /generate/text`: checked here, forwarded in canonical form. */
export function textRoute(platform: Platform, metered: RunMetered): EdgeHandler {
  return async (c) => {
    mediaTypeOf(c.req.raw.headers, ['application/json'])
    const fields = parseFields(generateFields, await readJson(c))
    const run = () =>
      forward(c, platform, {
        path: routes.text.path,
        contentType: 'application/json',
        body: JSON.stringify(fields),
        affinity: platform.stickyByContent ? textAffinity(fields) : undefined,
      })
    return metered(c, knownDemand(fields, 0), run, { mayRunAhead: true })
  }
}
