import type { EdgeRouteName } from '../../shared/api/routes.ts'
import type { RouteDocs } from './route-doc.ts'
import { administrationDocs } from './routes/administration.ts'
import { agentsDocs } from './routes/agents.ts'
import { anthropicDocs } from './routes/anthropic.ts'
import { nativeDocs } from './routes/native.ts'
import { openaiDocs } from './routes/openai.ts'
import { serviceDocs } from './routes/service.ts'

/** What the document says about each route beyond its method, path and scope. */
export const routeDocs: RouteDocs<EdgeRouteName> = {
  ...nativeDocs,
  ...openaiDocs,
  ...anthropicDocs,
  ...agentsDocs,
  ...administrationDocs,
  ...serviceDocs,
}
