import { FormData } from 'undici'
import { describe, expect, it } from 'vitest'
import { makeCertificates, startTestBackend } from '../../test/support/backends/test-backend.ts'

describe('uploads', () => {
  it('are refused while others fill the memory, and taken again once those are prepared', async () => {
    const certificates = await makeCertificates('edge')
    const backend = await startTestBackend({ certificates, uploadMemoryBytes: 2_000_000 })
    try {
      const upload = () => {
        const body = new FormData()
        body.append('prompt', 'What is this?')
        body.append('images', new Blob([new Uint8Array(600_000).fill(1)]))
        return backend.fetch('/generate/image', { method: 'POST', body })
      }
      let begin = () => {}
      const began = new Promise<void>((resolve) => (begin = resolve))
      let go = () => {}
      const held = new Promise<void>((resolve) => (go = resolve))
      backend.engine.beforeQueued = () => {
        begin()
        return held
      }
      const first = upload()
      await began

      const second = await upload()
      expect(second.status).toBe(429)
      expect(second.headers.get('retry-after')).toBe('2')
      expect(await second.json()).toMatchObject({
        error: {
          code: 'queue_full',
          message: expect.stringContaining('over the limit of 1000000') as string,
        },
      })

      go()
      expect((await first).status).toBe(200)
      for (let i = 0; i < 5; i++) expect((await upload()).status).toBe(200)
    } finally {
      await backend.stop()
    }
  })
})
