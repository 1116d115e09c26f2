import { once } from 'node:events'
import { serveStdio } from '@modelcontextprotocol/server/stdio'
import { Command } from 'commander'
import { createToolServer } from '../../shared/api/mcp/create-server.ts'
import { tools } from '../../shared/api/mcp/tools.ts'
import { ServiceError, toServiceError } from '../../shared/api/errors.ts'
import { CliError } from '../cli-error.ts'
import type { CliParts } from '../cli-parts.ts'
import { serverKey, serverUrl } from '../server-access.ts'
import { callTool } from './call-tool.ts'
import { sendableImages } from './sendable-images.ts'

const offered = tools(
  'A path of a file on this machine, an http(s) URL, a data URI or base64 of a picture',
)

/** `describe mcp`: the server's tools for agents that start programs and talk to them over stdin and stdout. */
export function mcpCommand(parts: CliParts): Command {
  return new Command('mcp')
    .description('serve the tools to an agent over stdin and stdout (Model Context Protocol)')
    .action(async () => {
      const url = new URL('mcp', serverUrl(parts))
      const key = await serverKey(parts)
      serveStdio(() =>
        createToolServer(
          offered,
          async ({ name }, given, { mcpReq }) => {
            const sent = await sendableImages(given)
            const call = { name, given: sent, signal: mcpReq.signal }
            return callTool({ fetch: parts.fetch, url, key }, call)
          },
          failureOf,
        ),
      )
      await once(process.stdin, 'close')
    })
}

function failureOf(thrown: unknown): ServiceError {
  return thrown instanceof CliError
    ? new ServiceError('invalid_field', thrown.message)
    : toServiceError(thrown)
}
