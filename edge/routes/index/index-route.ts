import { acceptsPage } from '../../../shared/api/wire/accept.ts'
import { jsonAnswer } from '../../../shared/api/wire/json-answer.ts'
import { aboutRoutes, probeRoutes, routes } from '../../../shared/api/routes.ts'
import type { EdgeHandler } from '../../calls/context.ts'
import { type PageParts, pageRoute } from '../page/page-routes.ts'

/** `GET /`: a web page for browsers, which request HTML; for programs, what this server is and which routes it has. */
export function indexRoute(parts: PageParts): EdgeHandler {
  const showPage = pageRoute(parts, '/')
  return async (c, next) => {
    const forPeople = acceptsPage(c.req.header('accept') ?? null)
    const response = (forPeople ? await showPage(c, next) : listRoutes()) as Response
    response.headers.append('vary', 'Accept')
    return response
  }
}

function listRoutes(): Response {
  // The files that the pages load are not listed.
  const { pageFile: _, ...about } = aboutRoutes
  return jsonAnswer({
    name: 'Describe Server',
    description: 'Looks at images and describes them',
    docs: aboutRoutes.openapi.path,
    routes: Object.values({ ...routes, ...probeRoutes, ...about }).map(
      ({ method, path }) => `${method} ${path}`,
    ),
  })
}
