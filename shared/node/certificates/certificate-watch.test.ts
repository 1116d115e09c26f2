import { X509Certificate } from 'node:crypto'
import { pino } from 'pino'
import { describe, expect, it } from 'vitest'
import { createCertificates } from './create-certificates.ts'
import { CertificateWatch } from './certificate-watch.ts'

const start = Date.parse('2026-03-01T12:00:00Z')
const day = 86_400_000

async function watchedFrom(daysLater: number) {
  const set = await createCertificates({ server: ['localhost'], client: 'edge' }, start)
  const clock = { ms: start + daysLater * day }
  const lines: { certificate: string; days_left: number; msg: string }[] = []
  const log = pino({ base: null }, { write: (line) => lines.push(JSON.parse(line) as never) })
  const identity = { ca: set.ca, cert: set.server, key: set.serverKey }
  const watch = new CertificateWatch({ use: 'server', identity, log, wallClock: () => clock.ms })
  const ask = () => watch.noteClient('edge', new X509Certificate(set.client))
  return { watch, ask, lines, clock, identity }
}

describe('CertificateWatch', () => {
  it('reports the server, its authorities and the clients it has seen', async () => {
    const { watch, ask, lines } = await watchedFrom(0)
    ask()
    const expected = { expires: '2027-03-26T12:00:00.000Z', days_left: 390, warning: false }
    expect(watch.report()).toEqual([
      { certificate: 'server', ...expected },
      { certificate: 'authority', ...expected },
      { certificate: 'client edge', ...expected },
    ])
    expect(lines).toEqual([])
  })

  it('warns in the last thirty days, of each once, and of all again when it is time', async () => {
    const { watch, ask, lines, clock } = await watchedFrom(360.5)
    ask()
    ask()
    expect(lines.map(({ certificate, days_left }) => [certificate, days_left])).toEqual([
      ['server', 29],
      ['authority', 29],
      ['client edge', 29],
    ])
    expect(watch.report().every(({ warning }) => warning)).toBe(true)
    clock.ms += day
    watch.warn()
    expect(lines.map(({ days_left }) => days_left)).toEqual([29, 29, 29, 28, 28, 28])
  })

  it('needs its own certificate and one valid authority, not all of them', async () => {
    const { watch, clock, identity } = await watchedFrom(0)
    expect(watch.isValid()).toBe(true)
    clock.ms += 395 * day
    const renewed = await createCertificates({ server: ['localhost'], client: 'edge' }, clock.ms)
    watch.noteOwn({ ...identity, cert: renewed.server })
    expect(watch.isValid()).toBe(false)
    watch.noteOwn({ ...identity, ca: `${identity.ca}${renewed.ca}`, cert: renewed.server })
    expect(watch.isValid()).toBe(true)
  })

  it('says when one has ended, and looks at new ones at once', async () => {
    const { watch, lines, identity } = await watchedFrom(400)
    expect(lines[0]).toMatchObject({ certificate: 'server', msg: 'certificate has expired' })
    expect(watch.isValid()).toBe(false)
    const renewed = await createCertificates(
      { server: ['localhost'], client: 'edge' },
      start + 390 * day,
    )
    watch.noteOwn({ ...identity, ca: renewed.ca, cert: renewed.server })
    expect(lines).toHaveLength(2)
    expect(watch.isValid()).toBe(true)
    expect(watch.report().some(({ warning }) => warning)).toBe(false)
  })
})
