import { exampleOf } from './example.ts'
import type { Route, Schemas } from './openapi.ts'

/** A call of the route that can be pasted into a shell. */
export function curlExample(route: Route, schemas: Schemas, origin: string): string {
  const { method, path, security, parameters = [] } = route
  const examples = new Map(
    parameters.map(({ name, schema }) => [name, exampleOf(schema, schemas, false)]),
  )
  const filled = path.replaceAll(/\{(\w+)\}/g, (whole, name: string) => {
    const value = examples.get(name)
    return typeof value === 'string' && value !== '…' ? value : whole
  })
  return [
    `curl ${method === 'GET' || method === 'POST' ? '' : `-X ${method} `}'${origin}${filled}'`,
    ...(security.length > 0 ? ['-H "X-API-Key: $DESCRIBE_API_KEY"'] : []),
    ...bodyLines(route, schemas),
    ...(method === 'POST' && route.requestBody === undefined ? ['-X POST'] : []),
  ].join(' \\\n  ')
}

function bodyLines({ requestBody }: Route, schemas: Schemas): string[] {
  const contents = Object.entries(requestBody?.content ?? {})
  const [type, content] =
    contents.find(([each]) => each === 'application/json') ?? contents[0] ?? []
  if (content === undefined) return []
  const example = content.example ?? exampleOf(content.schema, schemas, false)
  if (type === 'application/json') {
    const json = JSON.stringify(example, null, 2).replaceAll("'", `'\\''`)
    return [`-H 'Content-Type: application/json'`, `-d '${json}'`]
  }
  return Object.entries(example as object).map(([name, value]) => `-F '${name}=${String(value)}'`)
}
