/** A model on the hub, such as `moonshotai/Kimi-VL-A3B-Instruct`, at a branch, tag or commit. */
export interface HubName {
  readonly repo: string
  /** `main` unless another one was given. */
  readonly revision: string
}

/** Characters that the hub allows in names. No part begins with a dot, so that none can refer to another folder. */
const segment = '[A-Za-z0-9_-][A-Za-z0-9._-]*'
const namePattern = new RegExp(
  `^(?:https://huggingface\\.co/)?(${segment}/${segment})(?:(?:@|/tree/)(${segment}(?:/${segment})*))?/?$`,
)

/** Parses `owner/name`, `owner/name@revision`, or the web address of either. @returns undefined for anything else */
export function parseHubName(text: string): HubName | undefined {
  const match = namePattern.exec(text)
  return match === null ? undefined : { repo: match[1]!, revision: match[2] ?? 'main' }
}

/**
 * Which part of a model is wanted: everything this server reads, or only what it reads of a model that external engines
 * run.
 */
export type ModelPart = 'whole' | 'small'

/**
 * Folder name for the model: `moonshotai--Kimi-VL-A3B-Instruct`, with `@revision` unless that is main, and `.small` when
 * it has no weights.
 */
export function folderNameOf({ repo, revision }: HubName, part: ModelPart = 'whole'): string {
  const name = repo.replace('/', '--')
  const of = revision === 'main' ? name : `${name}@${revision.replaceAll('/', '--')}`
  return part === 'whole' ? of : `${of}.small`
}
