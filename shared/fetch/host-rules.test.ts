import { describe, expect, it } from 'vitest'
import { fetchImage } from './fetch-image.ts'
import { hostAllowed, hostsSetting } from './host-rules.ts'

describe('hostsSetting', () => {
  it('takes hosts as URLs spell them', () => {
    expect(
      hostsSetting.parse(' Images.Example.com., *.b\u00fccher.example.org,93.184.215.14 ,'),
    ).toEqual(['images.example.com', '*.xn--bcher-kva.example.org', '93.184.215.14'])
    expect([hostsSetting.parse(undefined), hostsSetting.parse('')]).toEqual([[], []])
  })

  it.each([
    'https://example.com',
    'example.com:8080',
    'example.com:80',
    'a@b',
    '*',
    'a.*.com',
    'a b',
  ])('refuses %j', (text) => {
    expect(hostsSetting.safeParse(text).success).toBe(false)
  })
})

describe('hostAllowed()', () => {
  const rules = { allowed: ['example.com', '*.example.com'], denied: ['*.private.example.com'] }

  it.each(['example.com', 'example.com.', 'a.example.com', 'private.example.com'])(
    'allows %s',
    (host) => {
      expect(hostAllowed(host, rules)).toBe(true)
    },
  )

  it.each(['example.org', 'notexample.com', 'a.private.example.com', 'a.private.example.com.'])(
    'refuses %s',
    (host) => {
      expect(hostAllowed(host, rules)).toBe(false)
    },
  )

  it('allows all that are not denied where none are named', () => {
    expect(hostAllowed('a.example.org', { ...rules, allowed: [] })).toBe(true)
    expect(hostAllowed('a.private.example.com', { ...rules, allowed: [] })).toBe(false)
  })
})

describe('fetchImage() with host rules', () => {
  it('asks no other hosts, neither at first nor by redirect', async () => {
    const asked: string[] = []
    const transport = async (url: string) => {
      asked.push(url)
      return new Response(null, {
        status: 302,
        headers: { location: 'https://other.example.org/' },
      })
    }
    const options = {
      transport,
      hosts: { allowed: ['images.example.com'], denied: [] },
      signal: new AbortController().signal,
    }
    expect(await fetchImage('https://other.example.org/a', options)).toMatchObject({
      failure: { reason: 'url_refused', why: 'host_rules' },
    })
    expect(await fetchImage('https://images.example.com/a', options)).toMatchObject({
      failure: { reason: 'redirect_refused', why: 'host_rules' },
    })
    expect(asked).toEqual(['https://images.example.com/a'])
  })
})
