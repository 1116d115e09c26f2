import { describe, expect, it } from 'vitest'
import { testPlatform } from '../../test/support/edges/test-platform.ts'
import { createEdgeApp } from '../app.ts'

const page = 'https://app.example.com'

async function answerTo(corsOrigins: string[], headers: Record<string, string>) {
  const app = createEdgeApp(testPlatform({ corsOrigins }))
  const response = await app.request('http://rebound.example/mcp', { method: 'POST', headers })
  const { error } = (await response.json()) as { error: { data: { code: string } } }
  return [response.status, error.data.code]
}

describe('refuseOrigins()', () => {
  it.each([
    [[], page],
    [[], 'http://rebound.example'],
    [[page], 'https://evil.example.com'],
    [[page], 'null'],
  ])(
    'with the origins %j refuses pages of %s before their key is looked at',
    async (ours, origin) => {
      expect(await answerTo(ours, { origin })).toEqual([403, 'forbidden_origin'])
    },
  )

  it.each([
    [[page], { origin: page }],
    [['*'], { origin: 'null' }],
    [[], {}],
  ])('with the origins %j lets %j pass', async (ours, headers) => {
    expect(await answerTo(ours, headers)).toEqual([401, 'missing_api_key'])
  })
})
