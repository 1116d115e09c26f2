import * as z from 'zod'

/** Messages of the Model Context Protocol at the level of JSON-RPC; its own specification has the details. */

const id = z.union([z.string(), z.int()])

export const mcpMessage = z.object({
  jsonrpc: z.literal('2.0'),
  id: id.optional(),
  method: z.string(),
  params: z.record(z.string(), z.unknown()).optional(),
})

export const mcpAnswer = z.object({
  jsonrpc: z.literal('2.0'),
  id,
  result: z.record(z.string(), z.unknown()),
})

/** Of a request that failed before a tool ran. Without `data` where the protocol itself was violated. */
export const mcpError = z.object({
  jsonrpc: z.literal('2.0'),
  id: id.nullable(),
  error: z.object({
    code: z.int(),
    message: z.string(),
    data: z.exactOptional(
      z.looseObject({
        code: z.exactOptional(z.string()),
        param: z.exactOptional(z.string().nullable()),
        request_id: z.exactOptional(z.string()),
        retry_after: z.exactOptional(z.number()),
      }),
    ),
  }),
})
