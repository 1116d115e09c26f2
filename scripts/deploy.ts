import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { Command, CommanderError } from 'commander'
import { parse } from 'smol-toml'
import * as z from 'zod'
import { checkDeployment, requiredSecret } from './deploy/check-deployment.ts'
import { runWrangler } from './support/run-wrangler.ts'

/**
 * Bytes of the compressed bundle. It is loaded wherever a request arrives, and a smaller one starts faster.
 * Cloudflare's own limit is 3 MB.
 */
const maxBundleBytes = 200 * 1000

/** A problem that stops a deployment; reported without a stack trace. */
class DeployError extends Error {
  override readonly name = 'DeployError'
}

/**
 * `npm run deploy <environment> [-- --dry-run]`: checks everything a deployment needs before it begins, so that it
 * happens completely or not at all. A dry run needs no account and no network, and reports what would stop a real
 * one.
 * @returns the exit code
 */
export async function main(given: readonly string[]): Promise<number> {
  const program = new Command('npm run deploy --')
    .argument('[environment]', 'as named in wrangler.toml', 'staging')
    .option('--dry-run', 'build and check only')
    .exitOverride()
  try {
    program.parse([...given], { from: 'user' })
    const environment = (program.processedArgs as [string | undefined])[0] ?? ''
    const isDry = program.opts<{ dryRun?: true }>().dryRun === true
    await deploy(environment, isDry)
    return 0
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode
    if (!(error instanceof DeployError)) throw error
    console.error(error.message)
    return 1
  }
}

async function deploy(environment: string, isDry: boolean): Promise<void> {
  const { mistakes, unset } = checkDeployment(
    parse(await readFile('wrangler.toml', 'utf8')),
    environment,
  )
  if (mistakes.length > 0) throw new DeployError(listing('wrangler.toml is wrong', mistakes))
  if (unset.length > 0 && !isDry) throw new DeployError(listing('This is missing', unset))
  if (!isDry) await checkSecrets(environment)

  const bytes = await bundleBytes(environment)
  console.log(`The bundle for ${environment} is ${Math.ceil(bytes / 1000)} KB, compressed`)
  if (bytes > maxBundleBytes) {
    throw new DeployError(`That is over the limit of ${maxBundleBytes / 1000} KB`)
  }
  if (!isDry) {
    console.log(await runWrangler(['deploy', '--env', environment]))
    return
  }
  if (unset.length > 0) console.log(listing('A real deployment would stop here', unset))
}

async function checkSecrets(environment: string): Promise<void> {
  const listed = await runWrangler(['secret', 'list', '--env', environment]).catch(
    (cause: unknown) => {
      throw new DeployError(
        `The secrets of ${environment} cannot be listed. Log in with npm run wrangler -- login, or set CLOUDFLARE_API_TOKEN.
On a first deployment there is no Worker yet: npm run wrangler -- secret put ${requiredSecret} --env ${environment} makes one.`,
        { cause },
      )
    },
  )
  const secrets = z.array(z.object({ name: z.string() })).parse(JSON.parse(listed))
  if (secrets.some(({ name }) => name === requiredSecret)) return
  throw new DeployError(
    `The secret ${requiredSecret} is missing: npm run wrangler -- secret put ${requiredSecret} --env ${environment}`,
  )
}

/** @returns compressed bytes of what would be uploaded */
async function bundleBytes(environment: string): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'describe-deploy-'))
  try {
    await runWrangler(['deploy', '--dry-run', '--env', environment, '--outdir', folder])
    return gzipSync(await readFile(join(folder, 'main.js'))).byteLength
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function listing(title: string, lines: readonly string[]): string {
  return [`${title}:`, ...lines.map((line) => `  ${line}`)].join('\n')
}
