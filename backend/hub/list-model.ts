import * as z from 'zod'
import type { Report } from '../../shared/progress/progress.ts'
import type { HubClient } from './hub-client.ts'
import { HubError } from './hub-error.ts'
import type { HubName, ModelPart } from './hub-name.ts'
import { PassingError, Retries, type RetryPolicy } from './retry.ts'

/** A file of a model as the hub describes it. */
export const hubFileSchema = z.object({
  path: z.string(),
  bytes: z.int().min(0),
  /** Large files have the SHA-256 of their content, small ones the SHA-1 of their Git blob. */
  hash: z.object({ algorithm: z.enum(['sha256', 'git-sha1']), value: z.string() }),
})
export type HubFile = z.infer<typeof hubFileSchema>

export interface HubModel {
  readonly repo: string
  /** The commit the revision currently refers to; its files never change. */
  readonly commit: string
  /** Only those that this server reads. */
  readonly files: readonly HubFile[]
}

/**
 * The files read: weights with their index, configuration, tokenizer, image preprocessing. No code and no pictures.
 * The template is for comparison.
 */
const needed =
  /^(?:[^/]+\.safetensors|model\.safetensors\.index\.json|config\.json|generation_config\.json|preprocessor_config\.json|tokenizer_config\.json|tiktoken\.model|chat_template\.jinja)$/

/** Without these nothing can be loaded. */
export const requiredFiles = [
  'config.json',
  'preprocessor_config.json',
  'tokenizer_config.json',
  'tiktoken.model',
]

const modelType = 'kimi_vl'

/** The hub's excerpt of config.json, if there is one. */
const hubConfigSchema = z.object({ model_type: z.string().optional() }).catch({})

const commitPattern = /^[\da-f]{40}$/

interface Asking {
  readonly retry: RetryPolicy
  /** Receives why the hub is asked again, and when. */
  readonly report: Report
  readonly signal: AbortSignal
}

/**
 * Lists what the hub has under a name.
 * @throws {HubError} when there is no such model, or when required files are missing
 */
export async function listModel(
  client: HubClient,
  name: HubName,
  options: Asking & { readonly part: ModelPart },
): Promise<HubModel> {
  const { commit, files, others } = await listFilesOf(client, name, options).catch(
    (cause: unknown): never => {
      options.signal.throwIfAborted()
      if (cause instanceof HubError || cause instanceof PassingError) throw cause
      // The hub's library assumes that whatever answers is a hub.
      const problem = `the answer of ${client.endpoint} is not understood: is it a hub?`
      throw new HubError(`${name.repo}: ${problem}`, { cause })
    },
  )
  const has = (path: string) => files.some((file) => file.path === path)
  const missing = requiredFiles.find((path) => !has(path))
  const hasWeights = files.some(({ path }) => path.endsWith('.safetensors'))
  const lacks = missing ?? (hasWeights ? undefined : 'safetensors file')
  if (lacks !== undefined) {
    throw new HubError(`${name.repo} has no ${lacks}: it is ${kindOf(others)}`)
  }
  const wanted = options.part === 'whole' ? files : files.filter((file) => !isWeights(file))
  return { repo: name.repo, commit, files: wanted }
}

/** Files that are read, and the names of all others. */
async function listFilesOf(
  client: HubClient,
  name: HubName,
  options: Asking,
): Promise<Omit<HubModel, 'repo'> & { readonly others: readonly string[] }> {
  // Loaded lazily: only downloads need it, and it takes as long to load as the rest of a command.
  const { listFiles, modelInfo } = await import('@huggingface/hub')
  const fetch = fetchFor(client, name, options)
  const common = { hubUrl: client.endpoint, fetch }
  const { sha, config } = await modelInfo({
    ...common,
    name: name.repo,
    revision: name.revision,
    additionalFields: ['sha', 'config'],
  })
  if (!commitPattern.test(sha)) throw new HubError(`${name.repo}: the hub names no commit`)
  const { model_type: type } = hubConfigSchema.parse(config ?? {})
  if (type !== undefined && type !== modelType) {
    throw new HubError(`${name.repo} is a ${type} model, not a Kimi-VL`)
  }
  const files: HubFile[] = []
  const others: string[] = []
  for await (const entry of listFiles({ ...common, repo: name.repo, revision: sha })) {
    if (entry.type !== 'file') continue
    if (needed.test(entry.path)) files.push(hubFile(entry))
    else others.push(entry.path)
  }
  return { commit: sha, files, others }
}

/** What kind of model it seems to be if required files are missing, judging by the files it has. */
function kindOf(others: readonly string[]): string {
  if (others.some((path) => path.endsWith('.gguf'))) return "a model in llama.cpp's format (GGUF)"
  if (others.includes('adapter_config.json')) return 'an adapter for another model'
  return 'no Kimi-VL in its original form'
}

/** Whether a file is part of the weights, or their index. */
export function isWeights({ path }: HubFile): boolean {
  return path.includes('.safetensors')
}

interface Entry {
  readonly path: string
  readonly size: number
  readonly oid?: string
  readonly lfs?: { readonly oid: string }
}

function hubFile({ path, size, oid, lfs }: Entry): HubFile {
  const hash =
    lfs === undefined
      ? { algorithm: 'git-sha1', value: oid }
      : { algorithm: 'sha256', value: lfs.oid }
  const file = hubFileSchema.safeParse({ path, bytes: size, hash })
  if (file.success) return file.data
  throw new HubError(`the hub's description of ${path} is not understood`)
}

/** The client as a `fetch` function for the hub's library; retries temporary failures, including truncated answers. */
function fetchFor(
  client: HubClient,
  { repo, revision }: HubName,
  { retry, report, signal }: Asking,
): typeof fetch {
  return async (input) => {
    const retries = new Retries(retry, report)
    for (;;) {
      try {
        const what = `${repo}@${revision}`
        const answer = await client.get(
          input as string,
          { accept: 'application/json' },
          { what, signal },
        )
        const text = await answer.text().catch((cause: unknown) => {
          throw new PassingError(`${what}: the answer was cut off`, { cause })
        })
        return new Response(text, { headers: [...answer.headers] })
      } catch (error) {
        await retries.pause(error, signal)
      }
    }
  }
}
