import { Command, InvalidArgumentError } from 'commander'
import { engineSoak } from './soak/engine-soak.ts'
import { serviceSoak } from './soak/service-soak.ts'

/**
 * `npm run soak`: a long run of mixed load on the nano model, ending with a verdict.
 * @returns the exit code: 1 if anything failed, memory grew or anything is left over
 */
export async function main(given: readonly string[]): Promise<number> {
  let isWell = false
  const program = new Command('npm run soak --').description(
    'Mixed load on the nano model for a long time, with clients that leave; ends with a verdict',
  )
  program
    .command('service', { isDefault: true })
    .description('the whole service: edge, backend and inference, with wrong requests besides')
    .option('--minutes <n>', 'how long', parsePositive, 120)
    .option('--concurrency <n>', 'clients at the same time', parseCount, 6)
    .option('--pause-ms <n>', 'how long a client waits after an answer', parsePositive, 50)
    .option('--seed <n>', 'decides the order of requests', parseCount, 1)
    .action(async (options: Parameters<typeof serviceSoak>[0]) => {
      isWell = await serviceSoak(options)
    })
  program
    .command('engine')
    .description('the engine alone, under tight limits of memory')
    .argument('[requests]', 'how many', parseCount, 10_000)
    .action(async (requests: number) => {
      isWell = await engineSoak(requests)
    })
  await program.parseAsync([...given], { from: 'user' })
  return isWell ? 0 : 1
}

function parseCount(text: string): number {
  if (/^[1-9]\d*$/.test(text)) return Number(text)
  throw new InvalidArgumentError('expected a whole number above 0')
}

function parsePositive(text: string): number {
  const value = Number(text)
  if (Number.isFinite(value) && value > 0) return value
  throw new InvalidArgumentError('expected a number above 0')
}
