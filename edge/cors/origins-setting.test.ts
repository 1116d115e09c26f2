import { describe, expect, it } from 'vitest'
import { originsSetting } from './origins-setting.ts'

describe('originsSetting', () => {
  it.each([
    [undefined, []],
    ['', []],
    ['*', ['*']],
    [
      ' https://app.example.com, http://localhost:5173,',
      ['https://app.example.com', 'http://localhost:5173'],
    ],
  ])('takes %j', (text, origins) => {
    expect(originsSetting.parse(text)).toEqual(origins)
  })

  it.each([
    'app.example.com',
    'https://app.example.com/',
    'https://app.example.com:443',
    'https://App.example.com',
    'https://*.example.com',
    'https://user@app.example.com',
    'null',
    'ftp://app.example.com',
    '*, https://app.example.com',
  ])('refuses %j, which no browser sends', (text) => {
    expect(originsSetting.safeParse(text).error?.issues[0]?.message).toMatch(/^expected origins/)
  })
})
