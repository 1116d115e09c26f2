/** One line of a log. Its fields hold ids, numbers and codes, never keys, prompts or URLs. */
export interface LogLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error'
  readonly message: string
  readonly [field: string]: string | number | null | undefined
}
