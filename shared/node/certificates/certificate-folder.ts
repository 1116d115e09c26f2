import { X509Certificate } from 'node:crypto'
import { lstat, mkdir, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  createAuthority,
  exportAuthority,
  issueCertificate,
  loadAuthority,
  validFor,
  type CertificateUse,
} from './authority.ts'
import { authorityFile, filesOf, writeCertificates, writeIdentity } from './certificate-files.ts'
import { parseCertificates, splitPem } from './expiry.ts'

/** A request that cannot be carried out; the message is meant for the caller. */
export class CertificateError extends Error {
  override readonly name = 'CertificateError'
}

/** A certificate in the folder. */
export interface FiledCertificate {
  /** Its file is `<name>.pem`, its key `<name>-key.pem`. */
  readonly name: string
  readonly use: CertificateUse
  /** DNS names and IP addresses. */
  readonly names: readonly string[]
  readonly certificate: X509Certificate
  /** True when the newest authority signed it. */
  readonly current: boolean
}

/** The authority's file name, which no certificate may use. */
const authorityName = 'ca'
const serverAuth = '1.3.6.1.5.5.7.3.1'

/** Names that work both as file names and as certificate names, and are not `ca`. */
const namePattern = /^(?!ca$)(?!.*-key$)[a-z\d]([a-z\d.-]{0,61}[a-z\d])?$/

/**
 * A private authority and the certificates it signed, in one folder. `ca.pem` holds the trusted authorities, the
 * newest first; only the key of the newest is kept. Only the owner can read keys.
 */
export class CertificateFolder {
  readonly #folder: string
  readonly #now: () => number

  /** @param now milliseconds since 1970 */
  constructor(folder: string, now: () => number) {
    this.#folder = folder
    this.#now = now
  }

  /** Makes the authority. @throws {CertificateError} when one exists */
  async init(commonName: string, days: number): Promise<void> {
    const present = await readFile(this.#path(authorityFile)).catch(() => undefined)
    if (present !== undefined)
      throw new CertificateError(`${this.#folder} holds an authority already`)
    await mkdir(this.#folder, { recursive: true, mode: 0o700 })
    await this.#makeAuthority(commonName, days, '')
  }

  /** Makes a certificate and its key. @throws {CertificateError} when either exists */
  async issue(
    name: string,
    use: CertificateUse,
    names: readonly string[],
    days: number,
  ): Promise<void> {
    checkName(name)
    for (const path of Object.values(filesOf(name)).map((file) => this.#path(file))) {
      const isFree = await lstat(path).then(
        () => false,
        () => true,
      )
      if (!isFree) {
        throw new CertificateError(
          `${path} is there already: rotate ${name} renews it, --replace puts another in its place`,
        )
      }
    }
    await this.replace(name, use, names, days)
  }

  /** Makes a certificate and its key, replacing any of the same name. */
  async replace(
    name: string,
    use: CertificateUse,
    names: readonly string[],
    days: number,
  ): Promise<void> {
    checkName(name)
    const authority = await loadAuthority({
      certificate: (await this.#authorities())[0]!,
      key: await this.#read(filesOf(authorityName).key),
    })
    const issued = await issueCertificate(authority, validFor(days, this.#now()), names, use)
    await writeIdentity(this.#folder, name, issued)
  }

  /** All certificates except the authorities', by name. */
  async list(): Promise<readonly FiledCertificate[]> {
    const [newest] = parseCertificates(await this.#read(authorityFile))
    const files = (await readdir(this.#folder)).filter((file) => file.endsWith('.pem'))
    const names = files.map((file) => file.slice(0, -'.pem'.length)).toSorted()
    const filed = await Promise.all(
      names
        .filter((name) => namePattern.test(name))
        .map(async (name) => fileOf(name, await this.#read(`${name}.pem`), newest!)),
    )
    return filed
  }

  /** The trusted authorities, the newest first. */
  async authorities(): Promise<readonly X509Certificate[]> {
    return (await this.#authorities()).map((pem) => new X509Certificate(pem))
  }

  /** Makes a new authority. The earlier ones stay trusted until nothing they signed is left. */
  async rotateAuthority(commonName: string, days: number): Promise<void> {
    await this.#makeAuthority(commonName, days, (await this.#authorities()).join(''))
  }

  /** Stops trusting authorities that have signed nothing in this folder. @returns how many are left */
  async retireAuthorities(): Promise<number> {
    const [newest, ...older] = await this.#authorities()
    const signed = await this.list()
    const needed = older.filter((pem) => {
      const { publicKey } = new X509Certificate(pem)
      return signed.some(({ certificate }) => certificate.verify(publicKey))
    })
    await writeCertificates(this.#path(authorityFile), [newest, ...needed].join(''))
    return needed.length + 1
  }

  async #makeAuthority(commonName: string, days: number, older: string): Promise<void> {
    const made = await exportAuthority(
      await createAuthority(commonName, validFor(days, this.#now())),
    )
    const trusted = { ...made, certificate: made.certificate + older }
    await writeIdentity(this.#folder, authorityName, trusted)
  }

  async #authorities(): Promise<readonly string[]> {
    const authorities = splitPem(await this.#read(authorityFile))
    if (authorities.length > 0) return authorities
    throw new CertificateError(`${this.#path(authorityFile)} holds no certificate`)
  }

  async #read(file: string): Promise<string> {
    try {
      return await readFile(this.#path(file), 'utf8')
    } catch (cause) {
      throw new CertificateError(`Cannot read ${this.#path(file)}`, { cause })
    }
  }

  #path(file: string): string {
    return join(this.#folder, file)
  }
}

function checkName(name: string): void {
  if (namePattern.test(name)) return
  throw new CertificateError(
    `"${name}" cannot name a certificate: expected a name such as edge or eu.backend-1`,
  )
}

function fileOf(name: string, pem: string, authority: X509Certificate): FiledCertificate {
  const certificate = new X509Certificate(pem)
  const names = (certificate.subjectAltName ?? '').split(', ').map((entry) => {
    return entry.replace(/^(DNS|IP Address):/, '')
  })
  return {
    name,
    use: certificate.keyUsage.includes(serverAuth) ? 'server' : 'client',
    names,
    certificate,
    current: certificate.verify(authority.publicKey),
  }
}
