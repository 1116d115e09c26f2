import { describe, expect, it } from 'vitest'
import type { IssuedKeyView } from '../../../../shared/api/administration/keys.ts'
import type { DayUsage } from '../../../../shared/api/administration/usage.ts'
import { apiKey, asked, dataUri, look, picture, type DoorStand } from './door-stand.ts'

export function describeKeys(stand: DoorStand, platform: string): void {
  describe('keys and limits', () => {
    const admin = async <Answer>(path: string, body?: object): Promise<Answer> => {
      const response = await fetch(`${stand.edge.url}/admin${path}`, {
        method: body === undefined ? 'GET' : 'POST',
        headers: { 'x-api-key': apiKey, 'content-type': 'application/json' },
        body: body === undefined ? null : JSON.stringify(body),
      })
      return (await response.json()) as Answer
    }
    const createKey = (fields: object) => admin<IssuedKeyView>('/keys', fields)
    const usageOf = async (id: string) =>
      (await admin<{ usage: DayUsage[] }>(`/usage?key_id=${id}`)).usage[0]
    const bodies = {
      '/v1/chat/completions': asked,
      '/v1/responses': {
        input: [{ role: 'user', content: [{ type: 'input_image', image_url: dataUri }] }],
        max_output_tokens: 5,
      },
      '/v1/messages': {
        messages: [
          {
            role: 'user',
            content: [
              {
                type: 'image',
                source: {
                  type: 'base64',
                  media_type: 'image/png',
                  data: picture.toString('base64'),
                },
              },
            ],
          },
        ],
        max_tokens: 5,
      },
    }
    const doors = Object.entries(bodies)

    it.each(doors)(
      'count exactly what %s has used, whole, streamed and torn',
      async (path, body) => {
        const { id, key } = await createKey({ limits: { tokens_per_day: 1_000_000 } })
        const headers = { 'x-api-key': key }
        const whole = (await (await stand.post(path, body, headers)).json()) as {
          usage: Record<string, number>
        }
        const { usage } = whole
        const prompt =
          usage['prompt_tokens'] ?? usage['input_tokens']! + (usage['cache_read_input_tokens'] ?? 0)
        const completion = usage['completion_tokens'] ?? usage['output_tokens']!
        await (
          await stand.post(path, { ...body, stream: true, seed: 1, temperature: 0 }, headers)
        ).text()
        const before = (await usageOf(id))!
        expect(before).toMatchObject({ requests: 2, images: 2, errors: 0, unfinished_tokens: 0 })
        expect(before.prompt_tokens).toBe(2 * prompt)
        expect(before.completion_tokens).toBeGreaterThan(completion)
        stand.nano.script = stand.failing('is torn')
        await (await stand.post(path, { ...body, stream: true }, headers)).text().catch(() => '')
        await expect.poll(async () => (await usageOf(id))?.errors).toBe(1)
        const after = (await usageOf(id))!
        expect(after.prompt_tokens).toBe(before.prompt_tokens)
        expect([0, prompt + 5, prompt + 12]).toContain(after.unfinished_tokens)
      },
    )

    it('hold for images that the edge has not seen', async () => {
      const { key } = await createKey({ limits: { images_per_day: 1 } })
      const large = Buffer.concat([picture, Buffer.alloc(1_000_000)]).toString('base64')
      const two = [1, 2].map(() => look(`data:image/png;base64,${large}`))
      const body = { ...asked, messages: [{ role: 'user', content: two }] }
      const refused = await stand.post('/v1/chat/completions', body, { 'x-api-key': key })
      expect(await refused.json()).toMatchObject({ error: { code: 'quota_exceeded' } })
      const one = await stand.post('/v1/chat/completions', asked, { 'x-api-key': key })
      expect(one.status).toBe(200)
      const spent = await stand.post('/v1/chat/completions', asked, { 'x-api-key': key })
      expect([spent.status, spent.headers.get('x-should-retry')]).toEqual([429, 'false'])
      const counted = await stand.post('/v1/chat/completions/input_tokens', asked, {
        'x-api-key': key,
      })
      expect(counted.status).toBe(200)
    })

    it('ask for the scopes of what is asked', async () => {
      const { key } = await createKey({ scopes: ['text'] })
      const text = { ...asked, messages: [{ role: 'user', content: 'Hello' }] }
      const statusOf = async (body: object) =>
        (await stand.post('/v1/chat/completions', body, { 'x-api-key': key })).status
      expect(await statusOf(text)).toBe(200)
      expect(await statusOf(asked)).toBe(403)
      const imageKey = await createKey({ scopes: ['image'] })
      const linked = {
        messages: [{ role: 'user', content: [look('https://pictures.org/a.png')] }],
      }
      const refused = await stand.post('/v1/chat/completions', linked, {
        'x-api-key': imageKey.key,
      })
      expect(await refused.json()).toMatchObject({ error: { code: 'forbidden_scope' } })
      expect((await fetch(`${stand.edge.url}/health`)).status).toBe(200)
    })

    it('repeat an answer for the same Idempotency-Key', async () => {
      const headers = { 'idempotency-key': `door-${platform}` }
      const body = { ...asked, stream: true }
      const first = await (await stand.post('/v1/chat/completions', body, headers)).text()
      const again = await stand.post('/v1/chat/completions', body, headers)
      expect(again.headers.get('idempotency-replayed')).toBe('true')
      expect(await again.text()).toBe(first)
    })
  })
}
