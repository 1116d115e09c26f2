import { Hono } from 'hono'
import { describe, expect, it } from 'vitest'
import { errorResponse, toServiceError } from '../../shared/api/errors.ts'
import type { EdgeEnv } from '../calls/context.ts'
import { readClientBody } from './client-body.ts'
import { testCall } from '../../test/support/edges/test-call.ts'

const maxBytes = 1_000

/** @returns the answer's status, and how many bytes of a body of `bytes` were taken in before it */
async function send(bytes: number): Promise<{ status: number; taken: number }> {
  let taken = 0
  const body = new ReadableStream({
    type: 'bytes',
    pull(controller) {
      const piece = Math.min(100, bytes - taken)
      taken += piece
      if (piece > 0) controller.enqueue(new Uint8Array(piece))
      else {
        controller.close()
        controller.byobRequest?.respond(0)
      }
    },
  })
  const app = new Hono<EdgeEnv>()
  app.use(async (c, next) => {
    c.set('call', testCall())
    await next()
  })
  app.post('/', async (c) => c.json((await readClientBody(c, maxBytes)).byteLength))
  app.onError((error) => errorResponse(toServiceError(error), 'req_1'))
  const headers = { 'content-length': String(bytes) }
  const init = { method: 'POST', headers, body, duplex: 'half' } as const
  const { status } = await app.request('/', init)
  return { status, taken }
}

describe('a body that is declared', () => {
  it('within the limit is read', async () => {
    expect(await send(maxBytes)).toEqual({ status: 200, taken: maxBytes })
  })

  it('a little over the limit is refused once its client has sent it', async () => {
    expect(await send(maxBytes + 1)).toEqual({ status: 413, taken: maxBytes + 1 })
  })

  it('far over the limit is refused at once', async () => {
    expect(await send(2 * maxBytes + 1)).toEqual({ status: 413, taken: 0 })
  })
})
