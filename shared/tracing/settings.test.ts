import { describe, expect, it } from 'vitest'
import { tracingConfigOf, tracingSettings } from './settings.ts'

const configOf = (environment: Record<string, string>) =>
  tracingConfigOf(tracingSettings.parse(environment), 'describe-edge')
const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' }

describe('the settings of traces', () => {
  it('are off unless there is a collector, and where they are switched off', () => {
    expect(configOf({})).toBeUndefined()
    expect(configOf({ ...endpoint, OTEL_SDK_DISABLED: 'true' })).toBeUndefined()
  })

  it.each([
    ['http://collector:4318', 'http://collector:4318/v1/traces'],
    ['https://collector/otlp', 'https://collector/otlp/v1/traces'],
    ['https://collector/otlp/', 'https://collector/otlp/v1/traces'],
  ])('send to the path for traces below %s', (url, expected) => {
    expect(configOf({ OTEL_EXPORTER_OTLP_ENDPOINT: url })?.url).toBe(expected)
  })

  it('send to the address of traces as it is', () => {
    const own = { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'https://traces.example/in' }
    expect(configOf({ ...endpoint, ...own })?.url).toBe('https://traces.example/in')
  })

  it('read pairs with encoded values', () => {
    const config = configOf({
      ...endpoint,
      OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Basic%20abc=, x-team = a',
      OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=prod,service.name=other',
    })
    expect(config?.headers).toEqual([
      ['authorization', 'Basic abc='],
      ['x-team', 'a'],
    ])
    expect(config?.resource).toEqual({
      'service.name': 'other',
      'deployment.environment.name': 'prod',
    })
    const named = configOf({ ...endpoint, OTEL_SERVICE_NAME: 'mine' })
    expect(named?.resource).toEqual({ 'service.name': 'mine' })
  })

  it.each([
    { OTEL_EXPORTER_OTLP_ENDPOINT: 'collector:4317' },
    { OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' },
    { OTEL_EXPORTER_OTLP_HEADERS: 'authorization' },
    { OTEL_EXPORTER_OTLP_HEADERS: 'a=%E0%A4%A' },
    { OTEL_EXPORTER_OTLP_HEADERS: 'a=b%0Ac' },
    { OTEL_TRACES_SAMPLER: 'jaeger_remote' },
    { OTEL_TRACES_SAMPLER_ARG: '2' },
  ])('are refused when wrong: %o', (environment) => {
    expect(tracingSettings.safeParse(environment).success).toBe(false)
  })
})
