/** Programs whose API is known here. `other`: any server with OpenAI's chat completions and nothing beyond them. */
export type EngineKind = 'vllm' | 'sglang' | 'llama-server' | 'other'

/** What an engine has said about itself. */
export interface EngineFacts {
  readonly kind: EngineKind
  readonly version: string | undefined
  /** The name by which it knows the model. */
  readonly model: string
  /** All its names: asked by one of them, vLLM answers with the first. */
  readonly names: readonly string[]
  /** Tokens of prompt and answer together; undefined if it does not say. */
  readonly contextTokens: number | undefined
  /** Answers that it generates at a time; undefined if it does not say. */
  readonly slots: number | undefined
  /** Whether the same seed gives the same answer. */
  readonly keepsSeeds: boolean
}
