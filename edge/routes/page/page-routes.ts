import { ServiceError } from '../../../shared/api/errors.ts'
import { noSuchPath } from '../../../shared/api/routes.ts'
import type { EdgeHandler } from '../../calls/context.ts'
import type { PageFiles, PagePath } from '../../page/page-files.ts'

export interface PageParts {
  readonly page: () => PageFiles | Promise<PageFiles>
}

/** The pages load from and call only this server. Pictures are shown from memory, as a blob or data URL. */
const contentPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' blob: data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ')

const pageHeaders = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy': contentPolicy,
  'cross-origin-opener-policy': 'same-origin',
  'permissions-policy': 'camera=(self), geolocation=(), microphone=()',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  // Small, and revalidated each time, because it contains the version of everything else.
  'cache-control': 'no-cache',
}

/** A year in seconds, the longest that caches keep anything: the URL changes with the content. */
const fileCaching = 'public, max-age=31536000, immutable'

/** `GET /docs`, and what browsers get at `/`. */
export function pageRoute({ page }: PageParts, path: PagePath): EdgeHandler {
  return async (c) => {
    const { version, pages } = await page()
    const headers = { ...pageHeaders, etag: `"${version}"` }
    const isKnown = c.req.header('if-none-match')?.includes(version) === true
    return isKnown
      ? new Response(null, { status: 304, headers })
      : new Response(pages[path], { headers })
  }
}

/** `GET /page/{version}/{file}`: a module or a style of the pages. Versions other than the current one are gone. */
export function pageFileRoute({ page }: PageParts): EdgeHandler {
  return async (c) => {
    const { version, files } = await page()
    const { version: wanted, file: name = '' } = c.req.param() as {
      version?: string
      file?: string
    }
    const file = wanted === version && Object.hasOwn(files, name) ? files[name] : undefined
    if (file === undefined) throw new ServiceError('not_found', noSuchPath)
    return new Response(file.text, {
      headers: {
        'content-type': `${file.type}; charset=utf-8`,
        'cache-control': fileCaching,
        'x-content-type-options': 'nosniff',
      },
    })
  }
}
