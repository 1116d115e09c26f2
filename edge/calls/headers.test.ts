import { describe, expect, it } from 'vitest'
import { backendRequestHeaders } from './headers.ts'

const request = {
  requestId: 'a-request',
  keyScopes: ['text'] as const,
  keyId: 'a-key-id',
  granted: {},
  deadlineMs: 99.5,
}

describe('backendRequestHeaders()', () => {
  it('passes on nothing of the client but what is wanted and what comes', () => {
    const client = new Headers({
      accept: 'text/event-stream',
      'content-type': 'text/plain',
      'x-api-key': 'a-key',
      'x-key-id': 'another',
      'x-deadline-ms': '1',
      cookie: 'a=b',
    })
    expect(backendRequestHeaders({ client, ...request })).toEqual({
      accept: 'text/event-stream',
      'content-type': 'text/plain',
      'x-request-id': 'a-request',
      'x-key-id': 'a-key-id',
      'x-key-scopes': 'text',
      'x-deadline-ms': '100',
    })
  })

  it('passes on no header that no client can send: the backend would seem to be gone', () => {
    const client = new Headers({ accept: 'text/html\u0001' })
    expect(backendRequestHeaders({ client, ...request })).not.toHaveProperty('accept')
  })
})
