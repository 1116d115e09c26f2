import { describe, expect, it } from 'vitest'
import { loadCommand, parseLoadOptions } from './load-options.ts'

const parse = (...given: readonly string[]) =>
  parseLoadOptions(
    loadCommand()
      .exitOverride()
      .configureOutput({ writeErr: () => undefined }),
    given,
  )

describe('parseLoadOptions()', () => {
  it('leaves the server open unless one is given', () => {
    const { url, ...options } = parse()
    expect(url).toBeUndefined()
    expect(options).toMatchObject({ api: 'native', requests: 64, image: [], json: false })
  })

  it('takes several images', () => {
    expect(parse('--image', 'a.png', '--image', 'b.png').image).toEqual(['a.png', 'b.png'])
  })

  it.each([
    [['--url', 'file:///etc'], 'expected an http or https URL'],
    [['--url', 'http://user:secret@host'], 'expected a URL without credentials'],
    [['--requests', '0'], 'expected a whole number from 1'],
    [['--requests', '1e3'], 'expected a whole number from 1'],
    [['--concurrency', '5000'], 'expected a whole number from 1 to 1024'],
    [['--rate', '0'], 'expected a number from 0.01'],
    [['--rate', 'fast'], 'expected a number from 0.01'],
    [['--temperature', ''], 'expected a number from 0 to 2'],
    [['--api', 'other'], 'Allowed choices are native, openai'],
    [['--requests', '100000', '--max-tokens', '4000'], 'requests times max-tokens may be'],
    [['--duration', '5'], 'unknown option'],
  ])('refuses %j', (given, message) => {
    expect(() => parse(...given)).toThrow(message)
  })
})
