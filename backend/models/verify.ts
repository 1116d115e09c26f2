import { join } from 'node:path'
import type { Report } from '../../shared/progress/progress.ts'
import { hashFile } from '../hub/file-hash.ts'
import { readHubRecord } from '../hub/download-model.ts'
import { findConverted } from '../model/convert/converted-model.ts'
import type { FormChoice } from '../model/convert/graphs/weight-forms.ts'
import { checkInventory, expectedTensors } from '../model/convert/source/inventory.ts'
import { openModelSource } from '../model/convert/source/model-source.ts'
import { equalizedCheckpoint } from '../model/equalize/equalized-checkpoint.ts'
import { findDamage } from '../model/convert/verify/verify-files.ts'
import { balanceLines, calibrationLine } from './balance-lines.ts'
import { compareWeights, mostSteps } from './compare-weights.ts'
import { checkpointFacts } from './facts.ts'

interface VerifyOptions {
  readonly checkpointDir: string
  readonly modelsDir: string
  readonly choice: FormChoice
  readonly report: Report
  readonly signal: AbortSignal
}

/**
 * Checks everything about a model that can be checked: downloaded files against the hub's hashes, tensors against the
 * configuration, converted weights against their checksums and against the checkpoint. Changes nothing.
 * @returns the problems found; empty when all is well
 * @throws {CheckpointError} when the checkpoint cannot be read at all
 */
export async function verifyModel(options: VerifyOptions): Promise<string[]> {
  const { checkpointDir, report } = options
  const problems = await verifyDownload(options)
  const source = await openModelSource(checkpointDir)
  try {
    checkInventory(source.checkpoint.shapes, expectedTensors(source.config))
    report(`${checkpointDir}: all tensors are there, with the shapes of config.json`)
    for (const fact of await checkpointFacts(checkpointDir, source)) report(`  ${fact}`)
    const converted = await findConverted(source, {
      ...options.choice,
      modelsDir: options.modelsDir,
      slots: 1,
    })
    const { folder, manifest } = converted
    if (manifest === undefined) {
      report(`${folder}: not converted yet, or from other files or by another version; the next start converts it`)
      return problems
    }
    const damage = await findDamage(folder, manifest.files, options.signal)
    if (damage !== undefined) return [...problems, `${folder}: ${damage}; the next start repairs it`]
    report(`${folder}: every byte is as it was written`)
    report(`  ${calibrationLine(manifest.calibration)}`)
    const balanced = balanceLines(manifest.equalization, source.config.text_config)
    for (const line of balanced) report(`  ${line}`)
    const served = equalizedCheckpoint(source.checkpoint, source.config, manifest.equalization)
    const { weights, rows, worst } = await compareWeights(converted, served)
    const compared = `${rows} rows of ${weights} weights compared with the checkpoint`
    report(`${folder}: ${compared}, at most ${worst.steps.toFixed(3)} steps of 8 bits apart`)
    // NaN never compares as within the limit.
    if (worst.steps <= mostSteps) return problems
    return [...problems, `${folder}: ${worst.name} is not what the checkpoint holds`]
  } finally {
    await source.checkpoint.close()
  }
}

async function verifyDownload({ checkpointDir, report, signal }: VerifyOptions): Promise<string[]> {
  const record = await readHubRecord(checkpointDir)
  if (record === undefined) return []
  const problems: string[] = []
  for (const file of record.files) {
    const hash = await hashFile(join(checkpointDir, file.path), file, signal).catch(
      () => 'none',
    )
    if (hash === file.hash.value) continue
    problems.push(`${join(checkpointDir, file.path)} is not what the hub has: pull it again`)
  }
  if (problems.length === 0) report(`${checkpointDir}: every file has the hash that the hub states`)
  return problems
}
