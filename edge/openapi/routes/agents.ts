import type { RouteDocs, StreamDoc } from '../route-doc.ts'
import { fromBackend, withBody } from '../route-errors.ts'

const mcpStream: StreamDoc = {
  description: 'Progress, if requested, then the answer.',
  events: { message: 'McpAnswer' },
}

/** The route for agents. */
export const agentsDocs: RouteDocs<'mcp'> = {
  mcp: {
    tag: 'Agents',
    summary: 'Serve tools to an agent',
    description:
      'One message of the Model Context Protocol (streamable HTTP). A failure within a tool is its result.',
    body: { 'application/json': 'McpMessage' },
    example: { jsonrpc: '2.0', id: 1, method: 'tools/list' },
    answers: { 200: 'McpAnswer' },
    emptyAnswers: [202],
    stream: mcpStream,
    errors: [
      ...withBody,
      ...fromBackend,
      'forbidden_origin',
      'quota_exceeded',
      'queue_full',
      'limits_unavailable',
      'deadline_exceeded',
    ],
    errorBody: 'McpError',
  },
}
