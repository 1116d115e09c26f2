import { jsonAnswer } from '../../../shared/api/json-answer.ts'
import { aboutRoutes, probeRoutes, routes } from '../../../shared/api/routes.ts'
import type { EdgeHandler } from '../../calls/context.ts'

/** `GET /`: what this is and what it answers, for those who open the address to see whether something is there. */
export const indexRoute: EdgeHandler = () =>
  jsonAnswer({
    name: 'Describe Server',
    description: 'Looks at images and describes them',
    docs: aboutRoutes.openapi.path,
    routes: Object.values({ ...routes, ...probeRoutes, ...aboutRoutes }).map(
      ({ method, path }) => `${method} ${path}`,
    ),
  })
