import { describe, expect, it } from 'vitest'
import { maxImageBytes } from '../../../../../shared/api/limits.ts'
import { refusalOf } from './pictures.ts'
import type { Picture } from '../question.ts'

function file(name: string, type: string, size: number): Picture {
  const of = Object.defineProperty(new File([], name, { type }), 'size', { value: size })
  return { kind: 'file', file: of, thumbnail: undefined }
}

const photo = file('a.jpg', 'image/jpeg', 1_000)
const url: Picture = { kind: 'url', url: 'https://example.com/a.png' }

describe('refusalOf()', () => {
  it.each<[string, Picture, readonly Picture[]]>([
    ['a photo', photo, []],
    ['a file of unknown type', file('a.heic', '', 1_000), []],
    ['the largest file', file('a.png', 'image/png', maxImageBytes), []],
    ['a second address', url, [url]],
  ])('has nothing against %s', (_what, picture, present) => {
    expect(refusalOf(picture, present)).toBeUndefined()
  })

  it.each<[string, Picture, readonly Picture[], string]>([
    ['another kind of file', file('a.pdf', 'application/pdf', 1), [], 'a.pdf is not a picture.'],
    ['an empty file', file('a.png', 'image/png', 0), [], 'a.png is empty.'],
    [
      'a large file',
      file('a.png', 'image/png', maxImageBytes + 1),
      [],
      'a.png has 20.1 MB; 20 MB are allowed.',
    ],
    [
      'files that are too large together',
      file('f.png', 'image/png', maxImageBytes),
      Array.from('abcde', (name) => file(name, 'image/png', maxImageBytes)),
      'All pictures together would have 120 MB; 100 MB are allowed.',
    ],
    [
      'one too many',
      photo,
      Array.from({ length: 16 }, () => photo),
      'One question can have 16 pictures at most.',
    ],
    [
      'an address beside a file',
      url,
      [photo],
      'One question has pictures of this device or pictures at addresses, not both.',
    ],
    [
      'another scheme',
      { kind: 'url', url: 'file:///etc/passwd' },
      [],
      'An address begins with https:// or http://.',
    ],
    ['no address', { kind: 'url', url: 'cat' }, [], 'An address begins with https:// or http://.'],
  ])('refuses %s', (_what, picture, present, text) => {
    expect(refusalOf(picture, present)).toBe(text)
  })
})
