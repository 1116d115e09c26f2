import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'

interface LockEntry {
  readonly version?: string
  readonly resolved?: string
  readonly integrity?: string
  readonly hasInstallScript?: boolean
  readonly link?: boolean
  /** Only for building and trying out: no caller's bytes reach it. */
  readonly dev?: boolean
}

const lockFiles = ['package-lock.json', 'scripts/bootstrap/runtime/package-lock.json']
const packagesOf = (file: string) => {
  const { packages } = JSON.parse(readFileSync(file, 'utf8')) as {
    packages: Record<string, LockEntry>
  }
  return Object.entries(packages).filter(([path]) => path !== '')
}

/** Versions before these have flaws that concern this server: see the advisories of each. */
const least: Record<string, string> = {
  // Its HEIF decoder (GHSA-rgj7-g3m4-5g8c).
  sharp: '0.35.4',
  // Its body limit, IPv6 rules and mount paths (CVE-2026-44456, CVE-2026-54288, CVE-2026-47673 to 47676).
  hono: '4.12.25',
}

function isAtLeast(version: string, wanted: string): boolean {
  const [own, other] = [version, wanted].map((text) => text.split('.').map(Number))
  const at = own!.findIndex((part, index) => part !== other![index])
  return at < 0 || own![at]! > other![at]!
}

describe.each(lockFiles)('%s', (file) => {
  it('names the content of every package, from the registry', () => {
    for (const [path, { integrity, resolved, link }] of packagesOf(file)) {
      expect([path, link]).toEqual([path, undefined])
      expect([path, integrity]).toEqual([path, expect.stringMatching(/^sha512-/)])
      // Without an address, a package comes from the registry that npm is set to, and from nowhere else.
      expect([path, resolved]).toEqual([path, undefined])
    }
  })

  it('has no version with a known flaw that matters here', () => {
    for (const [path, { version = '', dev = false }] of packagesOf(file)) {
      if (dev) continue
      const wanted = least[path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length)]
      if (wanted === undefined) continue
      expect([path, version, isAtLeast(version, wanted)]).toEqual([path, version, true])
    }
  })
})

it('compares versions by their numbers', () => {
  expect(isAtLeast('0.35.10', '0.35.4')).toBe(true)
  expect(isAtLeast('0.35.4', '0.35.4')).toBe(true)
  expect(isAtLeast('0.34.99', '0.35.4')).toBe(false)
})

it('no install script of a package runs', () => {
  expect(readFileSync('.npmrc', 'utf8')).toMatch(/^ignore-scripts=true$/m)
})

/** What secrets look like. */
const secrets: readonly RegExp[] = [
  /-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----\s+[A-Za-z0-9+/]{40}/,
  /\bAKIA[0-9A-Z]{16}\b/,
  /\bgh[opsu]_[A-Za-z0-9]{36}\b/,
  /\bhf_[A-Za-z0-9]{34}\b/,
  /\bsk-[A-Za-z0-9]{32,}\b/,
  /\bnpm_[A-Za-z0-9]{36}\b/,
  /\bxox[abprs]-[A-Za-z0-9-]{20,}\b/,
  /\bdsk_[a-z0-9]{12}_[A-Za-z0-9_-]{43}_[A-Za-z0-9_-]{8}\b/,
]

describe.skipIf(!existsSync('.git'))('what is in git', () => {
  it('holds no secrets', () => {
    const files = execFileSync('git', ['ls-files', '-z'], { encoding: 'utf8', maxBuffer: 2 ** 24 })
    const found: string[] = []
    for (const file of files.split('\0').filter((name) => existsSync(name))) {
      const text = readFileSync(file, 'latin1')
      for (const secret of secrets) {
        const match = secret.exec(text)
        if (match !== null) found.push(`${file}: ${match[0].slice(0, 12)}...`)
      }
    }
    expect(found).toEqual([])
  })

  it('would find one of each kind', () => {
    const letters = 'abcdefghijklmnopqrstuvwxyz0123456789'
    const samples = [
      `-----BEGIN EC PRIVATE KEY-----\n${letters}${letters}`,
      `AKIA${letters.toUpperCase().slice(0, 16)}`,
      `ghp_${letters}`,
      `hf_${letters.slice(0, 34)}`,
      `sk-${letters}`,
      `npm_${letters}`,
      `xoxb-${letters}`,
      `dsk_abcdefghijkl_${(letters + letters).slice(0, 43)}_abcdefgh`,
    ]
    expect(secrets.map((secret, index) => secret.test(samples[index]!))).toEqual(
      samples.map(() => true),
    )
  })
})
