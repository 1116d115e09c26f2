import { Command, InvalidArgumentError, Option } from 'commander'
import {
  authorityDays,
  leafDays,
  type CertificateUse,
} from '../shared/node/certificates/authority.ts'
import {
  CertificateError,
  CertificateFolder,
} from '../shared/node/certificates/certificate-folder.ts'
import { expiryOf, warnBeforeDays } from '../shared/node/certificates/expiry.ts'
import { certificateTable, listCertificates } from './certificate-list.ts'
import { CliError } from './cli-error.ts'
import type { CliParts } from './cli-parts.ts'
import { parseCount } from './duration.ts'

const authorityName = 'Describe Server authority'

interface FolderOptions {
  readonly dir: string
}

interface IssueOptions extends FolderOptions {
  readonly use: CertificateUse
  readonly names?: readonly string[]
  readonly days: number
  readonly replace?: true
}

interface RotateOptions extends FolderOptions {
  readonly all?: true
  readonly within: number
  readonly authority?: true
}

type CertsParts = Pick<CliParts, 'print' | 'now'>

/** `describe certs`: a private authority, and the certificates of servers and clients that it signs. */
export function certsCommand(parts: CertsParts): Command {
  const certs = new Command('certs').description('make and replace certificates for mutual TLS')
  addInit(certs, parts)
  addIssue(certs, parts)
  addList(certs, parts)
  addRotate(certs, parts)
  addRetire(certs, parts)
  return certs
}

function addInit(certs: Command, { print, now }: CertsParts): void {
  withFolder(certs.command('init'))
    .description('make a private authority')
    .option('--days <count>', 'how long it is valid', parseDays, authorityDays)
    .action(
      reportingFailures(async ({ dir, days }: FolderOptions & { readonly days: number }) => {
        await new CertificateFolder(dir, now).init(authorityName, days)
        print(`The authority is in ${dir}. Anyone with ca-key.pem can make clients: keep it
offline, and give the machines ca.pem and their own certificate and key only.`)
      }),
    )
}

function addIssue(certs: Command, { print, now }: CertsParts): void {
  withFolder(certs.command('issue'))
    .description('make a certificate and its key, signed by the authority')
    .argument('<name>', 'name of its files, and of the client')
    .addOption(
      new Option('--use <use>', 'what it is for')
        .choices(['server', 'client'])
        .makeOptionMandatory(),
    )
    .option('--names <list>', 'DNS names and IP addresses; default: the name', parseNames)
    .option('--days <count>', 'how long it is valid', parseDays, leafDays)
    .option('--replace', 'replace an existing certificate of that name')
    .action(
      reportingFailures(async (name: string, options: IssueOptions) => {
        const { use, names = [name], days, dir, replace } = options
        const folder = new CertificateFolder(dir, now)
        if (replace) await folder.replace(name, use, names, days)
        else await folder.issue(name, use, names, days)
        print(`${dir}/${name}.pem and ${dir}/${name}-key.pem are good for ${names.join(', ')}`)
      }),
    )
}

function addList(certs: Command, { print, now }: CertsParts): void {
  withFolder(certs.command('list'))
    .description('show all certificates and when they expire')
    .option('--json', 'print JSON')
    .action(
      reportingFailures(async ({ dir, json }: FolderOptions & { readonly json?: true }) => {
        const rows = await listCertificates(new CertificateFolder(dir, now), now())
        print(json ? JSON.stringify(rows, undefined, 2) : certificateTable(rows))
      }),
    )
}

function addRotate(certs: Command, { print, now }: CertsParts): void {
  withFolder(certs.command('rotate'))
    .description('replace certificates by new ones with the same names, and a new key')
    .argument(
      '[names...]',
      'which ones; default: those that expire soon or are from an old authority',
    )
    .option('--all', 'replace all')
    .option(
      '--within <days>',
      'replace those that expire within this many days',
      parseDays,
      warnBeforeDays,
    )
    .option('--authority', 'first make a new authority; the old one stays trusted until `retire`')
    .action(
      reportingFailures(async (names: readonly string[], options: RotateOptions) => {
        const folder = new CertificateFolder(options.dir, now)
        if (options.authority) {
          await folder.rotateAuthority(authorityName, authorityDays)
          print(
            `There is a new authority: copy ca.pem to all machines, then run rotate without --authority`,
          )
          return
        }
        const rotated = await rotate(folder, names, options, now())
        print(rotated.length === 0 ? 'Nothing to replace' : `Replaced ${rotated.join(', ')}`)
      }),
    )
}

function addRetire(certs: Command, { print, now }: CertsParts): void {
  withFolder(certs.command('retire'))
    .description('stop trusting authorities that no certificate needs')
    .action(
      reportingFailures(async ({ dir }: FolderOptions) => {
        const left = await new CertificateFolder(dir, now).retireAuthorities()
        print(
          `ca.pem holds ${left === 1 ? 'one authority' : `${left} authorities`}: copy it to all machines`,
        )
      }),
    )
}

function withFolder(command: Command): Command {
  return command.option(
    '--dir <folder>',
    'folder of the authority and the certificates',
    'authority',
  )
}

/** Reports a failure of the folder without a stack trace. */
function reportingFailures<Arguments extends unknown[]>(
  action: (...given: Arguments) => Promise<void>,
): (...given: Arguments) => Promise<void> {
  return async (...given) => {
    try {
      await action(...given)
    } catch (error) {
      if (!(error instanceof CertificateError)) throw error
      throw new CliError(error.message, { cause: error })
    }
  }
}

async function rotate(
  folder: CertificateFolder,
  wanted: readonly string[],
  { all, within }: RotateOptions,
  now: number,
): Promise<readonly string[]> {
  const filed = await folder.list()
  const unknown = wanted.find((name) => !filed.some((one) => one.name === name))
  if (unknown !== undefined) throw new CliError(`There is no certificate ${unknown}`)
  const due = filed.filter(({ name, certificate, current }) => {
    if (wanted.length > 0) return wanted.includes(name)
    return all === true || !current || expiryOf(certificate, now).daysLeft < within
  })
  for (const { name, use, names } of due) await folder.replace(name, use, names, leafDays)
  return due.map(({ name }) => name)
}

function parseDays(text: string): number {
  const days = parseCount(text)
  if (days >= 1 && days <= 36_500) return days
  throw new InvalidArgumentError('expected 1 to 36500 days')
}

function parseNames(text: string): readonly string[] {
  const names = text.split(',').map((name) => name.trim())
  const pattern = /^(\*\.)?[a-z\d]([a-z\d.-]*[a-z\d])?$|^[\da-f:.]+$/i
  if (names.every((name) => pattern.test(name))) return names
  throw new InvalidArgumentError('expected DNS names and IP addresses, separated by commas')
}
