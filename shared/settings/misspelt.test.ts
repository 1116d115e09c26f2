import { describe, expect, it } from 'vitest'
import { misspelt } from './misspelt.ts'

const known = ['PORT', 'HOST', 'API_KEY', 'REVOCATION_CUTS_STREAMS', 'ADDRESS_LIMIT']

describe('misspelt()', () => {
  it.each([
    ['PROT', 'PORT'],
    ['port', 'PORT'],
    ['API-KEY', 'API_KEY'],
    ['APIKEY', 'API_KEY'],
    ['REVOCATION_CUT_STREAM', 'REVOCATION_CUTS_STREAMS'],
    ['ADRESS_LIMIT', 'ADDRESS_LIMIT'],
  ])('takes %s for a slip of %s', (name, meant) => {
    expect(misspelt([name], known)).toEqual([{ name, meant }])
  })

  it.each(['PORT', 'HOME', 'PATH', 'HF_TOKEN', 'LANG', '', 'P'.repeat(100_000)])(
    'leaves %.20s alone',
    (name) => {
      expect(misspelt([name], known)).toEqual([])
    },
  )
})
