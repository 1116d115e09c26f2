import { describe, expect, it } from 'vitest'
import { parseConfig } from '../config.ts'

describe('the settings of engines elsewhere', () => {
  it('are not used with the own engine', () => {
    expect(parseConfig({}).cluster).toBeUndefined()
    expect(parseConfig({ ENGINE_URLS: 'http://gpu-1:8000' }).cluster).toBeUndefined()
  })

  it('take addresses as clients of OpenAI are given them', () => {
    const { cluster } = parseConfig({
      ENGINE: 'openai',
      ENGINE_URLS: 'http://gpu-1:8000/v1, https://gpu-2/, http://gpu-3:1/engine/v1/',
    })
    expect(cluster?.urls).toEqual(['http://gpu-1:8000', 'https://gpu-2', 'http://gpu-3:1/engine'])
    expect(cluster?.slots).toBe(32)
  })

  it.each([
    [{}, 'ENGINE_URLS'],
    [{ ENGINE_URLS: 'gpu-1:8000' }, 'http or https'],
    [{ ENGINE_URLS: 'http://user:secret@gpu-1' }, 'without credentials'],
    [{ ENGINE_URLS: 'http://gpu-1:8000,http://gpu-1:8000/v1' }, 'only once'],
    [{ ENGINE_URLS: 'http://gpu-1', ENGINE_SLOTS: '4' }, 'ENGINE_SLOTS'],
    [{ ENGINE_URLS: 'http://gpu-1', ENGINE_CACHE_SECRET: 'short' }, 'ENGINE_CACHE_SECRET'],
  ])('refuse %j', (settings, message) => {
    expect(() => parseConfig({ ENGINE: 'openai', ...settings })).toThrow(message)
  })

  it('do not repeat a secret', () => {
    const settings = { ENGINE: 'openai', ENGINE_URLS: 'http://user:hunter2@gpu-1' }
    expect(() => parseConfig(settings)).toThrow(/^(?!.*hunter2).*$/s)
  })
})
