import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import * as z from 'zod'

const value = z.object({
  stringValue: z.string().optional(),
  intValue: z.union([z.int(), z.string()]).optional(),
  doubleValue: z.number().optional(),
  boolValue: z.boolean().optional(),
  arrayValue: z.object({ values: z.array(z.object({ stringValue: z.string() })) }).optional(),
})
const attributes = z.array(z.object({ key: z.string(), value }))
const nanoseconds = z.string().regex(/^\d+$/).transform(BigInt)
const span = z.object({
  traceId: z.string().regex(/^[\da-f]{32}$/),
  spanId: z.string().regex(/^[\da-f]{16}$/),
  parentSpanId: z.string().optional(),
  traceState: z.string().optional(),
  name: z.string(),
  kind: z.int(),
  startTimeUnixNano: nanoseconds,
  endTimeUnixNano: nanoseconds,
  attributes,
  status: z.object({ code: z.int() }),
})
/** An ExportTraceServiceRequest, as far as it is looked at. */
const exported = z.object({
  resourceSpans: z.array(
    z.object({
      resource: z.object({ attributes }),
      scopeSpans: z.array(z.object({ spans: z.array(span) })),
    }),
  ),
})

export interface CollectedSpan {
  readonly service: string
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId: string | undefined
  readonly traceState: string | undefined
  readonly name: string
  /** 1 internal, 2 server, 3 client. */
  readonly kind: number
  readonly startMs: number
  readonly endMs: number
  readonly attributes: Readonly<Record<string, unknown>>
  readonly isError: boolean
}

/** How a collector answers; `hang`: not at all. */
type Behaviour = number | 'hang'

/** Stands in for an OpenTelemetry collector, over real HTTP. */
export interface TraceCollector {
  readonly url: string
  readonly spans: readonly CollectedSpan[]
  /** Everything that was sent, as text. */
  readonly text: () => string
  readonly requests: () => number
  /** The last request's. */
  readonly headers: () => Readonly<Record<string, unknown>>
  behaviour: Behaviour
  stop(): Promise<void>
}

export async function startTraceCollector(): Promise<TraceCollector> {
  const spans: CollectedSpan[] = []
  let text = ''
  let requests = 0
  let headers = {}
  const server = createServer((request, response) => {
    let body = ''
    request.setEncoding('utf8').on('data', (piece: string) => (body += piece))
    request.on('end', () => {
      requests += 1
      text += body
      headers = request.headers
      const { behaviour } = collector
      if (behaviour === 'hang') return
      if (behaviour === 200) spans.push(...spansIn(JSON.parse(body)))
      response.writeHead(behaviour, { 'content-type': 'application/json' }).end('{}')
    })
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const collector: TraceCollector = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans,
    text: () => text,
    requests: () => requests,
    headers: () => headers,
    behaviour: 200,
    async stop() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
  return collector
}

function spansIn(body: unknown): CollectedSpan[] {
  return exported.parse(body).resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap((scope) =>
      scope.spans.map((one) => ({
        ...one,
        service: String(valuesOf(resource.attributes)['service.name']),
        parentSpanId: one.parentSpanId,
        traceState: one.traceState,
        startMs: Number(one.startTimeUnixNano / 1_000n) / 1_000,
        endMs: Number(one.endTimeUnixNano / 1_000n) / 1_000,
        attributes: valuesOf(one.attributes),
        isError: one.status.code === 2,
      })),
    ),
  )
}

function valuesOf(pairs: z.infer<typeof attributes>): Record<string, unknown> {
  return Object.fromEntries(
    pairs.map(({ key, value: { intValue, arrayValue, ...others } }) => [
      key,
      arrayValue?.values.map(({ stringValue }) => stringValue) ??
        (intValue === undefined ? Object.values(others)[0] : Number(intValue)),
    ]),
  )
}
