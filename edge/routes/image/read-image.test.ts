import { describe, expect, it } from 'vitest'
import { createTestEdge } from '../../../test/support/edges/test-edge.ts'
import type { BackendInit } from '../../backends/exchange.ts'
import { BackendPool } from '../../backends/pool.ts'

describe('POST /generate/image', () => {
  /** 300 KB of an upload, and then its client is gone. */
  const brokenOff = () => {
    let pieces = 0
    return new ReadableStream({
      type: 'bytes',
      pull(controller) {
        pieces += 1
        if (pieces > 30) controller.error(new Error('aborted'))
        else controller.enqueue(new Uint8Array(10_000))
      },
    })
  }

  it.each([
    ['with a length', { 'content-length': '2000000' }, false],
    ['chunked', {}, false],
    ['with a length, looked into', { 'content-length': '2000000' }, true],
    ['chunked, looked into', {}, true],
  ])('holds broken uploads against no backend: %s', async (_how, headers, stickyByContent) => {
    const asked: string[] = []
    const targets = ['a', 'b'].map((id) => ({
      id,
      async send(path: string, { body }: BackendInit) {
        if (path !== '/health') asked.push(id)
        await new Response(body as ReadableStream).arrayBuffer()
        return Response.json({ output: 'A cat.' })
      },
    }))
    const parts = { targets, now: () => 0, random: () => 0, deadlineMs: 60_000 }
    const { app, lines } = createTestEdge({ stickyByContent, pool: new BackendPool(parts).call })
    for (let upload = 0; upload < 20; upload += 1) {
      await app.request('/generate/image', {
        method: 'POST',
        headers: {
          'x-api-key': 'right-key',
          'content-type': 'multipart/form-data; boundary=x',
          ...headers,
        },
        body: brokenOff(),
        duplex: 'half',
      })
    }
    const left = { level: 'info', status: 499, code: 'cancelled' }
    expect(lines).toMatchObject(Array.from({ length: 20 }, () => left))
    expect(asked).toEqual(Array.from({ length: 20 }, () => 'a'))
  })
})
