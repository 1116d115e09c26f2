import * as z from 'zod'
import { booleanSetting } from '../settings/boolean.ts'
import { integerSetting } from '../settings/integer.ts'

/** `name=value` pairs, separated by commas, values percent-encoded, as OpenTelemetry spells headers and attributes. */
const pairsSetting = z
  .string()
  .default('')
  .transform((text, context) => {
    const pairs = text.split(',').filter((pair) => pair.trim() !== '')
    const matches = pairs.map((pair) => /^\s*([^\s=]+)\s*=\s*(.*?)\s*$/.exec(pair))
    try {
      return matches.map((match) => {
        if (match === null) throw new RangeError('not a pair')
        return [match[1]!, decodeURIComponent(match[2]!)] as const
      })
    } catch {
      context.addIssue(
        'expected name=value pairs, separated by commas, with values percent-encoded',
      )
      return z.NEVER
    }
  })

const headersSetting = pairsSetting.refine((pairs) => areHeaders(pairs), {
  error: 'expected names and values that HTTP headers may have',
})

function areHeaders(pairs: readonly (readonly [string, string])[]): boolean {
  try {
    const headers = new Headers()
    for (const [name, value] of pairs) headers.append(name, value)
    return true
  } catch {
    return false
  }
}

const urlSetting = z.url({ protocol: /^https?$/, error: 'expected an http or https URL' })

/** Share of traces, as OpenTelemetry spells samplers. */
const samplers = [
  'always_on',
  'always_off',
  'traceidratio',
  'parentbased_always_on',
  'parentbased_always_off',
  'parentbased_traceidratio',
] as const
export type SamplerName = (typeof samplers)[number]

/** OpenTelemetry's own variables, of which this server reads these. */
export const tracingSettings = z.object({
  OTEL_SDK_DISABLED: booleanSetting.default(false),
  OTEL_EXPORTER_OTLP_ENDPOINT: urlSetting.optional(),
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: urlSetting.optional(),
  OTEL_EXPORTER_OTLP_HEADERS: headersSetting,
  OTEL_EXPORTER_OTLP_PROTOCOL: z
    .literal('http/json', { error: 'expected http/json, the only form that is sent' })
    .default('http/json'),
  OTEL_EXPORTER_OTLP_TIMEOUT: integerSetting(1, 600_000).default(10_000),
  OTEL_SERVICE_NAME: z.string().optional(),
  OTEL_RESOURCE_ATTRIBUTES: pairsSetting,
  OTEL_TRACES_SAMPLER: z.enum(samplers).default('parentbased_always_on'),
  OTEL_TRACES_SAMPLER_ARG: z
    .string()
    .regex(/^(0(\.\d+)?|1(\.0+)?)$/, 'expected a share from 0 to 1')
    .transform(Number)
    .default(1),
  OTEL_BSP_SCHEDULE_DELAY: integerSetting(1, 600_000).default(5_000),
})

export interface TracingConfig {
  /** Where spans are sent. */
  readonly url: string
  readonly headers: readonly (readonly [name: string, value: string])[]
  /** Milliseconds that one request to the collector may take. */
  readonly timeoutMs: number
  /** Milliseconds between two of them, in a program that lives on. */
  readonly delayMs: number
  readonly sampler: { readonly name: SamplerName; readonly share: number }
  /** Attributes of the program, which all its spans share. */
  readonly resource: Readonly<Record<string, string>>
}

/**
 * @param serviceName of this program, unless configured
 * @returns undefined where no collector is configured, and nothing is traced
 */
export function tracingConfigOf(
  settings: z.infer<typeof tracingSettings>,
  serviceName: string,
): TracingConfig | undefined {
  const url = tracesUrl(settings)
  if (url === undefined || settings.OTEL_SDK_DISABLED) return undefined
  return {
    url,
    headers: settings.OTEL_EXPORTER_OTLP_HEADERS,
    timeoutMs: settings.OTEL_EXPORTER_OTLP_TIMEOUT,
    delayMs: settings.OTEL_BSP_SCHEDULE_DELAY,
    sampler: { name: settings.OTEL_TRACES_SAMPLER, share: settings.OTEL_TRACES_SAMPLER_ARG },
    resource: {
      'service.name': serviceName,
      ...Object.fromEntries(settings.OTEL_RESOURCE_ATTRIBUTES),
      ...(settings.OTEL_SERVICE_NAME && { 'service.name': settings.OTEL_SERVICE_NAME }),
    },
  }
}

/** The address of the traces as it is, or the path for them below the collector's. */
function tracesUrl({
  OTEL_EXPORTER_OTLP_ENDPOINT: base,
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: own,
}: z.infer<typeof tracingSettings>): string | undefined {
  if (own !== undefined || base === undefined) return own
  return new URL('v1/traces', base.endsWith('/') ? base : `${base}/`).href
}
