import { type Scope, scopes } from './administration/scopes.ts'

interface Route {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  readonly path: string
  /** The scope an API key must have; of several, any. Null where no key is required. */
  readonly scope: Scope | readonly Scope[] | null
}

/** Which of these a conversation needs is only known once it is read. */
const asking = ['text', 'image', 'image_url'] as const

/** The public routes, mounted by the edge (which forwards) and by the backend (which answers). */
export const routes = {
  health: { method: 'GET', path: '/health', scope: null },
  text: { method: 'POST', path: '/generate/text', scope: 'text' },
  image: { method: 'POST', path: '/generate/image', scope: 'image' },
  imageUrl: { method: 'POST', path: '/generate/image_url', scope: 'image_url' },
  chat: { method: 'POST', path: '/v1/chat/completions', scope: asking },
  chatTokens: { method: 'POST', path: '/v1/chat/completions/input_tokens', scope: asking },
  responses: { method: 'POST', path: '/v1/responses', scope: asking },
  responsesTokens: { method: 'POST', path: '/v1/responses/input_tokens', scope: asking },
  response: { method: 'GET', path: '/v1/responses/:id', scope: asking },
  messages: { method: 'POST', path: '/v1/messages', scope: asking },
  messagesTokens: { method: 'POST', path: '/v1/messages/count_tokens', scope: asking },
  mcp: { method: 'POST', path: '/mcp', scope: ['image', 'image_url'] },
  models: { method: 'GET', path: '/v1/models', scope: scopes },
  model: { method: 'GET', path: '/v1/models/:id', scope: scopes },
} as const satisfies Record<string, Route>

const publicPaths = Object.values(routes).map(({ method, path }) => `${method} ${path}`)

/** Message of the error for any other path. */
export const noSuchPath = `There is no such path. The paths are ${publicPaths.join(', ')}`

/** For probes; mounted on both sides. */
export const probeRoutes = {
  livez: { method: 'GET', path: '/livez', scope: null },
  readyz: { method: 'GET', path: '/readyz', scope: null },
} as const satisfies Record<string, Route>

/** The routes of administrators, which the edge answers itself. */
export const adminRoutes = {
  createKey: { method: 'POST', path: '/admin/keys', scope: 'admin' },
  listKeys: { method: 'GET', path: '/admin/keys', scope: 'admin' },
  showKey: { method: 'GET', path: '/admin/keys/:id', scope: 'admin' },
  changeKey: { method: 'PATCH', path: '/admin/keys/:id', scope: 'admin' },
  removeKey: { method: 'DELETE', path: '/admin/keys/:id', scope: 'admin' },
  revokeKey: { method: 'POST', path: '/admin/keys/:id/revoke', scope: 'admin' },
  rotateKey: { method: 'POST', path: '/admin/keys/:id/rotate', scope: 'admin' },
  usage: { method: 'GET', path: '/admin/usage', scope: 'admin' },
  metrics: { method: 'GET', path: '/metrics', scope: 'admin' },
} as const satisfies Record<string, Route>

/** Prefix of everything the pages load. */
export const pageFolder = '/page'

/** What the edge says about itself, to programs and to people. */
export const aboutRoutes = {
  index: { method: 'GET', path: '/', scope: null },
  docs: { method: 'GET', path: '/docs', scope: null },
  pageFile: { method: 'GET', path: `${pageFolder}/:version/:file{.+}`, scope: null },
  openapi: { method: 'GET', path: '/openapi.json', scope: null },
} as const satisfies Record<string, Route>

/** Every route the edge answers. */
export const edgeRoutes = { ...routes, ...probeRoutes, ...aboutRoutes, ...adminRoutes }

/** The path as OpenAPI writes it: `/admin/keys/:id` as `/admin/keys/{id}`. */
export function templated(path: string): string {
  return path.replaceAll(/:(\w+)(\{.*?\})?/g, '{$1}')
}

export type RouteName = keyof typeof routes
export type EdgeRouteName = keyof typeof edgeRoutes
