import type { CertificateFolder } from '../shared/node/certificates/certificate-folder.ts'
import { expiryOf } from '../shared/node/certificates/expiry.ts'
import { formatTable } from './table.ts'

/** A certificate as `describe certs list --json` prints it. */
interface Row {
  readonly name: string
  readonly use: string
  readonly names: readonly string[]
  readonly expires: string
  readonly days_left: number
  readonly note: string
}

/** All certificates of a folder, its authorities first. @param now milliseconds since 1970 */
export async function listCertificates(
  folder: CertificateFolder,
  now: number,
): Promise<readonly Row[]> {
  const authorities = (await folder.authorities()).map((certificate, index) => {
    const { expires, daysLeft, warn } = expiryOf(certificate, now)
    const note = index > 0 ? 'older' : warn ? 'ends soon' : ''
    return { name: 'ca', use: 'authority', names: [], expires, days_left: daysLeft, note }
  })
  const others = (await folder.list()).map(({ name, use, names, certificate, current }) => {
    const { expires, daysLeft, warn } = expiryOf(certificate, now)
    const note = warn ? 'expires soon' : current ? '' : 'from an older authority'
    return { name, use, names, expires, days_left: daysLeft, note }
  })
  return [...authorities, ...others]
}

export function certificateTable(rows: readonly Row[]): string {
  return formatTable(
    ['name', 'use', 'good for', 'expires', 'days', 'note'],
    rows.map(({ name, use, names, expires, days_left, note }) => [
      name,
      use,
      names.join(','),
      expires.slice(0, 10),
      String(days_left),
      note,
    ]),
  )
}
