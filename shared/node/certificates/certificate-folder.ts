import { X509Certificate } from 'node:crypto'
import { lstat, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  createAuthority,
  exportAuthority,
  issueCertificate,
  loadAuthority,
  validFor,
  type Authority,
  type CertificateUse,
} from './authority.ts'
import { authorityFile, filesOf, writeCertificates, writeIdentity } from './certificate-files.ts'
import { makeFolder } from '../files/make-folder.ts'
import { splitPem } from './expiry.ts'

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
      throw new CertificateError(`${this.#folder} already holds an authority`)
    makeFolder(this.#folder, 0o700)
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
          `${path} already exists: rotate ${name} renews it, --replace replaces it`,
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
    const authority = await this.#authority()
    const issued = await issueCertificate(authority, validFor(days, this.#now()), names, use)
    await writeIdentity(this.#folder, name, issued)
  }

  /** All certificates except the authorities', by name. */
  async list(): Promise<readonly FiledCertificate[]> {
    const [newest] = await this.authorities()
    const files = (await readdir(this.#folder)).filter((file) => file.endsWith('.pem'))
    const names = files.map((file) => file.slice(0, -'.pem'.length)).toSorted()
    const filed = await Promise.all(
      names
        .filter((name) => namePattern.test(name))
        .map(async (name) => {
          const file = `${name}.pem`
          return fileOf(name, this.#certificate(file, await this.#read(file)), newest!)
        }),
    )
    return filed
  }

  /** The trusted authorities, the newest first. */
  async authorities(): Promise<readonly X509Certificate[]> {
    return (await this.#authorities()).map((pem) => this.#certificate(authorityFile, pem))
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
      const { publicKey } = this.#certificate(authorityFile, pem)
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

  /** The newest authority, with its key. */
  async #authority(): Promise<Authority> {
    const [certificate] = await this.#authorities()
    const { key: keyFile } = filesOf(authorityName)
    const key = await this.#read(keyFile)
    try {
      return await loadAuthority({ certificate: certificate!, key })
    } catch (cause) {
      const files = `${this.#path(authorityFile)} and ${this.#path(keyFile)}`
      throw new CertificateError(`${files} hold no certificate and key of an authority`, { cause })
    }
  }

  #certificate(file: string, pem: string): X509Certificate {
    try {
      return new X509Certificate(pem)
    } catch (cause) {
      throw new CertificateError(`${this.#path(file)} holds no certificate`, { cause })
    }
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
      const { code } = cause as NodeJS.ErrnoException
      const why =
        code === 'ENOENT' ? 'it is not there; `describe certs init` makes an authority' : code
      throw new CertificateError(`Cannot read ${this.#path(file)}: ${why}`, { cause })
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

function fileOf(
  name: string,
  certificate: X509Certificate,
  authority: X509Certificate,
): FiledCertificate {
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
