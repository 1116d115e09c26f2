import { McpServer, type CallToolResult, type ServerContext } from '@modelcontextprotocol/server'
import packageJson from '../../../package.json' with { type: 'json' }
import type { ServiceError } from '../errors.ts'
import { type Seen, seen, type Tool } from './tools.ts'

/** Runs a tool. @param given its arguments, checked. @throws {ServiceError} */
export type RunTool = (
  tool: Tool,
  given: Record<string, unknown>,
  context: ServerContext,
) => Promise<Seen>

/**
 * An MCP server with these tools, for one connection or one request.
 * @param failureOf turns anything that `run` throws into the error to report
 */
export function createToolServer(
  offered: readonly Tool[],
  run: RunTool,
  failureOf: (thrown: unknown) => ServiceError,
): McpServer {
  const server = new McpServer(
    { name: 'describe-server', title: 'Describe Server', version: packageJson.version },
    { capabilities: { tools: {} } },
  )
  for (const tool of offered) {
    const { name, title, description, input } = tool
    const annotations = {
      readOnlyHint: true,
      destructiveHint: false,
      idempotentHint: true,
      openWorldHint: true,
    }
    server.registerTool(
      name,
      { title, description, inputSchema: input, outputSchema: seen, annotations },
      async (given, context): Promise<CallToolResult> => {
        try {
          const answer = await run(tool, given, context)
          return { content: [{ type: 'text', text: answer.text }], structuredContent: answer }
        } catch (thrown) {
          return failedCall(failureOf(thrown))
        }
      },
    )
  }
  return server
}

/** Reported as a result, so that the model reads what was wrong and can try again. */
function failedCall({ code, message }: ServiceError): CallToolResult {
  return { isError: true, content: [{ type: 'text', text: `${code}: ${message}` }] }
}
