import { hostFeatures } from '../host-features.ts'
import type { TextConfig } from '../config/model-config.ts'
import { wantedLogits, type NextLogits, type StepRow } from '../model.ts'
import type { EmbeddingTable } from './embedding-table.ts'
import { planLanes, type LanePlan } from './lane-plan.ts'
import type { Stage, StageInput, StageLane } from './stages/stage.ts'

interface DecoderParts {
  /** Run one after the other. */
  readonly stages: readonly Stage[]
  readonly config: TextConfig
  readonly embeddings: Pick<EmbeddingTable, 'lookUp'>
  /** Absorbed lanes of the graph. */
  readonly lanes: number
  readonly expandedFromTokens: number
}

/** Runs the decoder once over `rows` and appends their tokens to the stages' caches. See `Model.step`. */
export async function runDecoder(
  parts: DecoderParts,
  rows: readonly StepRow[],
): Promise<NextLogits[]> {
  const plan = planLanes(rows, parts)
  const ordered = [...plan.absorbed, plan.expanded].filter((row) => row !== undefined)
  const next = await runStages(parts, plan, ordered)
  for (const stage of parts.stages) stage.commit()
  return inCallerOrder(rows, ordered, next)
}

/** @returns the logits of sampled rows */
async function runStages(
  parts: DecoderParts,
  plan: LanePlan,
  ordered: readonly StepRow[],
): Promise<readonly NextLogits[]> {
  const step = {
    lanes: [...plan.absorbed, plan.expanded].map(laneOf),
    sampleRows: sampledTokens(ordered),
  }
  let input: StageInput = { embeddings: embeddingsOf(parts, ordered) }
  for (const stage of parts.stages) {
    const output = await stage.run({ ...step, input })
    if ('next' in output) return output.next
    input = output
  }
  throw new RangeError('the last stage has no logits')
}

function laneOf(row: StepRow | undefined): StageLane | undefined {
  return row && { slot: row.slot, tokens: row.tokenIds.length }
}

/** Which of the tokens' logits are wanted. */
function sampledTokens(ordered: readonly StepRow[]): number[] {
  const sampled: number[] = []
  let end = 0
  for (const row of ordered) {
    end += row.tokenIds.length
    for (let token = end - wantedLogits(row); token < end; token++) sampled.push(token)
  }
  return sampled
}

/** [tokens, hidden]: token embeddings, with image features in place of the placeholders' embeddings. */
function embeddingsOf(
  { config, embeddings }: DecoderParts,
  ordered: readonly StepRow[],
): Float32Array {
  const hidden = config.hidden_size
  const total = ordered.reduce((sum, { tokenIds }) => sum + tokenIds.length, 0)
  const values = new Float32Array(total * hidden)
  let start = 0
  for (const { tokenIds, features } of ordered) {
    const own = values.subarray(start * hidden, (start + tokenIds.length) * hidden)
    embeddings.lookUp(tokenIds, own)
    for (const span of features) own.set(hostFeatures(span.features), span.at * hidden)
    start += tokenIds.length
  }
  return values
}

function inCallerOrder(
  rows: readonly StepRow[],
  ordered: readonly StepRow[],
  next: readonly NextLogits[],
): NextLogits[] {
  const byRow = new Map<StepRow, readonly NextLogits[]>()
  let start = 0
  for (const row of ordered) byRow.set(row, next.slice(start, (start += wantedLogits(row))))
  return rows.flatMap((row) => byRow.get(row)!)
}
