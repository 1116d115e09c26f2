import { request } from 'undici'
import * as z from 'zod'
import type { EngineFacts, EngineKind } from '../engine/engine-facts.ts'
import { ByteBudget } from '../../../shared/bytes/byte-budget.ts'
import { readLimited } from '../../../shared/bytes/read-limited.ts'
import { EngineProblem } from '../engine/engine-problem.ts'
import { headersOf, type EngineTarget } from '../engine/engine-target.ts'

/** Bytes of an answer about the engine: metrics of a large vLLM are 200 kB. */
const maxBytes = 4 * 2 ** 20

const count = z.number().int().min(1)

const modelList = z.object({
  data: z
    .array(
      z.object({
        id: z.string().min(1),
        owned_by: z.string().optional().catch(undefined),
        max_model_len: count.nullish().catch(undefined),
      }),
    )
    .min(1),
})

const vllmVersion = z.object({ version: z.string() })
const sglangInfo = z.object({
  version: z.string().optional().catch(undefined),
  enable_deterministic_inference: z.boolean().catch(false),
  max_running_requests: count.nullish().catch(undefined),
})
const llamaProps = z.object({
  build_info: z.string().optional().catch(undefined),
  total_slots: count.optional().catch(undefined),
  default_generation_settings: z.object({ n_ctx: count }).optional().catch(undefined),
})

const kinds: Readonly<Record<string, EngineKind>> = {
  vllm: 'vllm',
  sglang: 'sglang',
  llamacpp: 'llama-server',
}

interface AskOptions {
  readonly target: EngineTarget
  /** The model to use; with undefined, the only one that the engine has. */
  readonly model: string | undefined
  readonly timeoutMs: number
}

/**
 * Asks an engine what it is.
 * @throws {EngineProblem} `unreachable` when it does not answer or does not have the model, `fault` when it is too slow
 */
export async function askFacts(options: AskOptions): Promise<EngineFacts> {
  const { data } = parsed(modelList, await textAt('/v1/models', options), '/v1/models')
  const model = chosen(data, options.model)
  const kind = kinds[model.owned_by ?? ''] ?? 'other'
  const names = data.map(({ id }) => id)
  const common = { kind, model: model.id, names, contextTokens: model.max_model_len ?? undefined }
  switch (kind) {
    case 'vllm': {
      const { version } = parsed(vllmVersion, await textAt('/version', options), '/version')
      return { ...common, version, slots: undefined, keepsSeeds: true }
    }
    case 'sglang': {
      const info = parsed(sglangInfo, await serverInfo(options), '/server_info')
      return {
        ...common,
        version: info.version,
        slots: info.max_running_requests ?? undefined,
        keepsSeeds: info.enable_deterministic_inference,
      }
    }
    case 'llama-server': {
      const props = parsed(llamaProps, await textAt('/props', options), '/props')
      return {
        ...common,
        contextTokens: props.default_generation_settings?.n_ctx,
        version: props.build_info,
        slots: props.total_slots,
        keepsSeeds: true,
      }
    }
    case 'other':
      return { ...common, version: undefined, slots: undefined, keepsSeeds: true }
  }
}

/** SGLang's newer name for it, or its older one. */
async function serverInfo(options: AskOptions): Promise<string> {
  try {
    return await textAt('/server_info', options)
  } catch {
    return textAt('/get_server_info', options)
  }
}

/** @throws {EngineProblem} `unreachable` unless the engine answers with 200, `fault` when it does not in time */
export async function textAt(
  path: string,
  { target, timeoutMs }: Pick<AskOptions, 'target' | 'timeoutMs'>,
): Promise<string> {
  const signal = AbortSignal.timeout(timeoutMs)
  try {
    const { statusCode, body } = await request(target.baseUrl + path, {
      dispatcher: target.agent,
      headers: headersOf(target),
      signal,
    })
    if (statusCode !== 200) {
      body.on('error', () => {}).destroy()
      throw new EngineProblem('unreachable', `${path}: status ${statusCode}`)
    }
    const bytes = await readLimited(
      body as AsyncIterable<Uint8Array>,
      new ByteBudget(maxBytes),
      signal,
    )
    if (bytes === undefined)
      throw new EngineProblem('unreachable', `${path}: the answer is too long`)
    return Buffer.from(bytes).toString()
  } catch (cause) {
    if (cause instanceof EngineProblem) throw cause
    const code = (cause as NodeJS.ErrnoException).code ?? 'unknown'
    // A busy engine may be slow to answer probes, and still answer requests.
    if (signal.aborted)
      throw new EngineProblem('fault', `${path}: no answer within ${timeoutMs} ms`)
    throw new EngineProblem('unreachable', `${path}: no answer: ${code}`, { cause })
  }
}

function parsed<Schema extends z.ZodType>(
  schema: Schema,
  text: string,
  path: string,
): z.infer<Schema> {
  try {
    return schema.parse(JSON.parse(text))
  } catch (cause) {
    throw new EngineProblem('unreachable', `${path}: this is not the answer of an engine`, {
      cause,
    })
  }
}

function chosen<Model extends { readonly id: string }>(
  models: readonly Model[],
  name: string | undefined,
): Model {
  const [first, ...others] = models
  if (name !== undefined) {
    const found = models.find(({ id }) => id === name)
    if (found !== undefined) return found
    throw new EngineProblem('unreachable', 'it does not have the model that ENGINE_MODEL names')
  }
  if (first !== undefined && others.length === 0) return first
  throw new EngineProblem('unreachable', 'it has several models: ENGINE_MODEL must name one')
}
