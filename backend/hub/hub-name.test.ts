import { describe, expect, it } from 'vitest'
import { folderNameOf, parseHubName } from './hub-name.ts'

describe('parseHubName()', () => {
  it.each([
    ['moonshotai/Kimi-VL-A3B-Instruct', 'moonshotai/Kimi-VL-A3B-Instruct', 'main'],
    ['moonshotai/Kimi-VL-A3B-Instruct@v1.0', 'moonshotai/Kimi-VL-A3B-Instruct', 'v1.0'],
    ['a/b@refs/pr/1', 'a/b', 'refs/pr/1'],
    ['https://huggingface.co/a/b', 'a/b', 'main'],
    ['https://huggingface.co/a/b/', 'a/b', 'main'],
    ['https://huggingface.co/a/b/tree/dev', 'a/b', 'dev'],
  ])('reads %s', (text, repo, revision) => {
    expect(parseHubName(text)).toEqual({ repo, revision })
  })

  it.each(['a', 'a/b/c', '/a/b', './a/b', '../b', 'a/..', 'a/b@', 'a/b@../../c', 'a b/c', ''])(
    'takes %j for something else',
    (text) => {
      expect(parseHubName(text)).toBeUndefined()
    },
  )
})

describe('folderNameOf()', () => {
  it('distinguishes revisions', () => {
    expect(folderNameOf({ repo: 'a/b', revision: 'main' })).toBe('a--b')
    expect(folderNameOf({ repo: 'a/b', revision: 'refs/pr/1' })).toBe('a--b@refs--pr--1')
  })
})
