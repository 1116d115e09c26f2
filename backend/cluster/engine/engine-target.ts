import type { Agent } from 'undici'

/** One engine as it is reached. */
export interface EngineTarget {
  /** Host and port: its name in logs, metrics and the choice by content. */
  readonly id: string
  /** Without `/v1` and without a slash at its end. */
  readonly baseUrl: string
  readonly apiKey: string | undefined
  readonly agent: Agent
}

/** Headers that every request to an engine has. */
export function headersOf({ apiKey }: Pick<EngineTarget, 'apiKey'>): Record<string, string> {
  return apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }
}
