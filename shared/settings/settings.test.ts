import { describe, expect, it } from 'vitest'
import { apiKeySetting } from './api-key.ts'
import { booleanSetting } from './boolean.ts'

describe('apiKeySetting', () => {
  it.each([
    '4f0c8ab8cb2d4b0f9d6d5b3e',
    'dsk_7Jm3vT0qQ2xW5yZ8aB1cD4eF6gH9iK0lM2nO3pR4sT',
    'vk_q0w9e8r7t6y5u4i3o2p1-_aSdFgHjKlZxCvBnM0123',
  ])('takes %s', (key) => {
    expect(apiKeySetting.parse(key)).toBe(key)
  })

  it.each([
    ['short', 'ZQ'],
    ['one character too short', '4f0c8ab8cb2d4b0f9d6d5b3'],
    ['a repeated pattern', 'abc'.repeat(20)],
    ['with a space', '4f0c8ab8cb2d 4b0f9d6d5b3e'],
    ['with a line break', '4f0c8ab8cb2d4b0f9d6d5b3e\n'],
    ['not ASCII', '4f0c8ab8cb2d4b0f9d6d5b3é'],
    ['too long', '0123456789'.repeat(26)],
  ])('refuses one that is %s, and says how to make one', (_what, key) => {
    const { error } = apiKeySetting.safeParse(key)
    expect(error?.issues[0]?.message).toContain('openssl rand -hex 24')
    expect(error?.issues[0]?.message).not.toContain(key)
  })
})

describe('booleanSetting', () => {
  it.each([
    ['true', true],
    ['1', true],
    ['YES', true],
    ['on', true],
    ['false', false],
    ['0', false],
    ['No', false],
    ['off', false],
  ])('takes %s', (text, value) => {
    expect(booleanSetting.parse(text)).toBe(value)
  })

  it.each(['maybe', '2', 'ture', ' '])('refuses %j', (text) => {
    expect(booleanSetting.safeParse(text).error?.issues[0]?.message).toMatch(/^expected true or/)
  })
})
