import { type EdgeRouteName, edgeRoutes, templated } from '../../shared/api/routes.ts'
import { componentSchemas } from './components.ts'
import { operationOf } from './operation.ts'
import { routeTags } from './route-doc.ts'

/** The version of the package, which a test compares. */
const version = '0.1.0'

const description = `Looks at images and describes them. Every answer has the header \`X-Request-Id\`; a request may bring its own (8 to 64 letters, digits, \`_\` and \`-\`). Any other path is answered 404 \`not_found\`, any other method of a path 405 \`method_not_allowed\`, with \`Allow\`.`

/** The API as OpenAPI 3.1 describes it: the routes of the table, with the schemas that check their requests. */
export function openApiDocument() {
  const names = Object.keys(edgeRoutes) as EdgeRouteName[]
  const paths: Record<string, Record<string, unknown>> = {}
  for (const name of names) {
    const { method, path } = edgeRoutes[name]
    const operations = (paths[templated(path)] ??= {})
    operations[method.toLowerCase()] = operationOf(name)
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Describe Server',
      version,
      description,
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: '/' }],
    tags: routeTags.map((name) => ({ name })),
    paths,
    components: {
      schemas: componentSchemas(),
      securitySchemes: {
        apiKey: { type: 'apiKey', in: 'header', name: 'X-API-Key' },
        bearer: { type: 'http', scheme: 'bearer' },
      },
    },
  }
}
