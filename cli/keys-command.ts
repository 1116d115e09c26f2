import { Command, InvalidArgumentError } from 'commander'
import {
  issuedKeyView,
  keyListView,
  keyView,
  type IssuedKeyView,
  type KeyView,
} from '../shared/api/administration/keys.ts'
import { adminRoutes } from '../shared/api/routes.ts'
import { scopes, type Scope } from '../shared/api/administration/scopes.ts'
import { AdminClient } from './admin-client.ts'
import type { CliParts } from './cli-parts.ts'
import { parseCount, parseDuration, parseEnd, parseLimit } from './duration.ts'
import { formatPairs, formatTable, printable } from './table.ts'
import { usageCommand } from './usage-command.ts'

/** Keys requested at once; a longer list takes several requests. */
const pageKeys = 1_000

interface CreateOptions extends OutputOptions {
  readonly note?: string
  readonly scopes?: readonly Scope[]
  readonly expires?: string
  readonly requestsPerMinute?: number
  readonly concurrentRequests?: number
  readonly tokensPerMinute?: number
  readonly tokensPerDay?: number
  readonly imagesPerDay?: number
}

interface OutputOptions {
  readonly json?: true
}

/** What the commands have in common. */
interface Keys {
  readonly client: AdminClient
  readonly parts: CliParts
}

/** `describe keys`: manages API keys of the edge through its admin API. */
export function keysCommand(parts: CliParts): Command {
  const keys = { client: new AdminClient(parts), parts }
  const command = new Command('keys').description('create, show and revoke API keys')
  addCreate(command, keys)
  addList(command, keys)
  addOne(command, keys, adminRoutes.showKey, 'show', 'show one key')
  addOne(command, keys, adminRoutes.revokeKey, 'revoke', 'revoke a key for good')
  addRotate(command, keys)
  return command.addCommand(usageCommand(parts))
}

function addCreate(command: Command, { client, parts }: Keys): void {
  withLimits(command.command('create').description('create a key'))
    .option('--note <text>', 'what the key is for')
    .option('--scopes <list>', `what it may be used for: ${scopes.join(',')}`, parseScopes)
    .option('--expires <when>', 'when it expires: 30d, 2027-01-31 ...', (text) =>
      parseEnd(text, parts.now()),
    )
    .option('--json', 'print JSON')
    .action(async (options: CreateOptions) => {
      const { method, path } = adminRoutes.createKey
      const body = createBody(options)
      showIssued(parts, await client.ask({ method, path, body, answer: issuedKeyView }), options)
    })
}

function addList(command: Command, { client, parts }: Keys): void {
  command
    .command('list')
    .description('show all keys')
    .option('--json', 'print JSON')
    .action(async ({ json }: OutputOptions) => {
      const all = await listKeys(client)
      parts.print(json ? JSON.stringify(all, undefined, 2) : tableOf(all))
    })
}

/** A command that needs nothing but the key's id. */
function addOne(
  command: Command,
  { client, parts }: Keys,
  { method, path }: typeof adminRoutes.showKey | typeof adminRoutes.revokeKey,
  name: string,
  description: string,
): void {
  command
    .command(name)
    .description(description)
    .argument('<id>')
    .option('--json', 'print JSON')
    .action(async (id: string, options: OutputOptions) => {
      const key = await client.ask({ method, path: pathOf(path, id), answer: keyView })
      show(parts, key, options)
    })
}

function addRotate(command: Command, { client, parts }: Keys): void {
  command
    .command('rotate')
    .description('replace the secret of a key; the old one keeps working for a while')
    .argument('<id>')
    .option('--grace <duration>', 'how long the old one works: 0s, 30m, 24h ...', parseDuration)
    .option('--json', 'print JSON')
    .action(async (id: string, options: OutputOptions & { readonly grace?: number }) => {
      const { method, path } = adminRoutes.rotateKey
      const body = options.grace === undefined ? {} : { grace_seconds: options.grace }
      const request = { method, path: pathOf(path, id), body, answer: issuedKeyView }
      showIssued(parts, await client.ask(request), options)
    })
}

function show({ print }: CliParts, key: KeyView, { json }: OutputOptions): void {
  print(json ? JSON.stringify(key, undefined, 2) : formatPairs(pairsOf(key)))
}

function showIssued(parts: CliParts, key: IssuedKeyView, options: OutputOptions): void {
  show(parts, key, options)
  if (!options.json) parts.print(`\n${key.key}\n\nThis is the only time the key is shown.`)
}

function withLimits(command: Command): Command {
  return command
    .option('--requests-per-minute <count>', 'most requests in a minute', parseLimit)
    .option('--concurrent-requests <count>', 'most requests at the same time', parseLimit)
    .option('--tokens-per-minute <count>', 'most tokens in a minute', parseLimit)
    .option('--tokens-per-day <count>', 'most tokens in a day', parseLimit)
    .option('--images-per-day <count>', 'most images in a day', parseCount)
}

/** Absent options are left to the server; JSON drops undefined values. */
function createBody(options: CreateOptions): unknown {
  return {
    note: options.note,
    scopes: options.scopes,
    expires_at: options.expires,
    limits: {
      requests_per_minute: options.requestsPerMinute,
      concurrent_requests: options.concurrentRequests,
      tokens_per_minute: options.tokensPerMinute,
      tokens_per_day: options.tokensPerDay,
      images_per_day: options.imagesPerDay,
    },
  }
}

function parseScopes(text: string): readonly Scope[] {
  return text.split(',').map((name) => {
    const scope = scopes.find((known) => known === name.trim())
    if (scope !== undefined) return scope
    throw new InvalidArgumentError(`expected some of ${scopes.join(',')}`)
  })
}

async function listKeys(client: AdminClient): Promise<readonly KeyView[]> {
  const { method, path } = adminRoutes.listKeys
  const keys: KeyView[] = []
  for (;;) {
    const last = keys.at(-1)
    const after = last === undefined ? '' : `&after=${encodeURIComponent(last.id)}`
    const request = { method, path: `${path}?limit=${pageKeys}${after}`, answer: keyListView }
    const page = await client.ask(request)
    keys.push(...page.keys)
    if (!page.has_more || page.keys.length === 0) return keys
  }
}

function pathOf(path: string, id: string): string {
  return path.replace(':id', encodeURIComponent(id))
}

function tableOf(keys: readonly KeyView[]): string {
  if (keys.length === 0) return 'There are no keys yet.'
  return formatTable(
    ['id', 'status', 'scopes', 'created', 'expires', 'note'],
    keys.map((key) => [
      key.id,
      key.status,
      key.scopes.join(','),
      key.created_at.slice(0, 10),
      key.expires_at?.slice(0, 10) ?? 'never',
      printable(key.note),
    ]),
  )
}

function pairsOf(key: KeyView): [string, string][] {
  const limits = Object.entries(key.limits).map(([name, limit]) => `${name}=${limit}`)
  return [
    ['id', key.id],
    ['status', key.status],
    ['scopes', key.scopes.join(',')],
    ['limits', limits.join(' ') || 'none'],
    ['created', key.created_at],
    ['expires', key.expires_at ?? 'never'],
    ...(key.revoked_at === null ? [] : [['revoked', key.revoked_at] as [string, string]]),
    ...(key.previous_valid_until === null
      ? []
      : [['old secret works until', key.previous_valid_until] as [string, string]]),
    ['note', printable(key.note)],
  ]
}
