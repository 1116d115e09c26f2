import { Command, InvalidArgumentError } from 'commander'
import { adminRoutes } from '../shared/api/routes.ts'
import { usageView, type DayUsage } from '../shared/api/administration/usage.ts'
import { AdminClient } from './admin-client.ts'
import type { CliParts } from './cli-parts.ts'
import { formatTable } from './table.ts'

interface UsageOptions {
  readonly from?: string
  readonly to?: string
  readonly json?: true
}

/** `describe keys usage`: what keys used, by day in UTC. */
export function usageCommand(parts: CliParts): Command {
  const client = new AdminClient(parts)
  return new Command('usage')
    .description('show what keys used, by day (UTC)')
    .argument('[id]', 'one key only')
    .option('--from <date>', 'first day, such as 2027-01-01', parseDay)
    .option('--to <date>', 'last day', parseDay)
    .option('--json', 'print JSON')
    .action(async (id: string | undefined, { json, ...days }: UsageOptions) => {
      const usage = await readUsage(client, { key_id: id, ...days })
      parts.print(json ? JSON.stringify(usage, undefined, 2) : tableOf(usage))
    })
}

function parseDay(text: string): string {
  if (/^\d{4}-\d{2}-\d{2}$/.test(text)) return text
  throw new InvalidArgumentError('expected a date such as 2027-01-31')
}

async function readUsage(
  client: AdminClient,
  query: Readonly<Record<string, string | undefined>>,
): Promise<readonly DayUsage[]> {
  const { method, path } = adminRoutes.usage
  const search = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) search.set(name, value)
  }
  const usage: DayUsage[] = []
  for (;;) {
    const request = { method, path: `${path}?${search.toString()}`, answer: usageView }
    const page = await client.ask(request)
    usage.push(...page.usage)
    if (page.next === null) return usage
    search.set('after', page.next)
  }
}

function tableOf(usage: readonly DayUsage[]): string {
  if (usage.length === 0) return 'No key was used in this time.'
  return formatTable(
    [
      'key',
      'day',
      'requests',
      'errors',
      'cancelled',
      'images',
      'prompt',
      'image',
      'completion',
      'seconds',
    ],
    usage.map((day) => [
      day.key_id,
      day.day,
      String(day.requests),
      String(day.errors),
      String(day.cancelled),
      String(day.images),
      String(day.prompt_tokens),
      String(day.image_tokens),
      String(day.completion_tokens),
      day.seconds.toFixed(1),
    ]),
  )
}
