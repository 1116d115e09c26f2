/** Runs the checks on the graphics card, or a driver in its place, in a process whose environment says which. */
import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { openWebGpuAccelerator } from '../../backend/model/accelerator/webgpu-accelerator.ts'
import { deviceChecks } from './device-checks.ts'
import { graphChecks } from './device-graph-checks.ts'
import { deviceModels, openDeviceModel, type DeviceModel } from './device-models.ts'
import { readGoldenCases, type GoldenCase } from './golden-cases.ts'

export interface CheckResult {
  readonly name: string
  readonly problem: string | undefined
}

/**
 * Golden cases on a driver that computes on the CPU: of each kind one (text, a picture, several, several turns), since each
 * step takes it twenty times as long.
 */
const fewCases = ['text-hello', 'text-count', 'describe-g03', 'two-images', 'multi-turn', 'json']

/** `answers`: those of the tiny model. `graphs`: what can be said without them (device-graph-checks.ts). */
type CheckKind = 'answers' | 'graphs'

/** @param environment of the process, besides this one's own */
export function runOnCard(
  kind: CheckKind,
  environment: Readonly<Record<string, string>>,
  modelsDir: string,
): Promise<CheckResult[]> {
  return new Promise((resolve, reject) => {
    const child = fork(fileURLToPath(import.meta.url), [kind, modelsDir], {
      env: { ...process.env, ...environment },
      execArgv: [],
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    })
    const results: CheckResult[] = []
    let log = ''
    child.stderr?.on('data', (data: Buffer) => (log += data.toString()))
    child.on('message', (result: CheckResult) => results.push(result))
    child.on('error', reject)
    child.on('close', (code, signal) => {
      if (code === 0) resolve(results)
      else
        reject(new Error(`the checks ended with ${signal ?? code} after ${results.length}: ${log}`))
    })
  })
}

async function main(kind: CheckKind, modelsDir: string): Promise<void> {
  if (kind === 'answers') await checkAnswers(modelsDir)
  else await checkGraphs(modelsDir)
  process.disconnect()
}

async function checkAnswers(modelsDir: string): Promise<void> {
  const cases = (await readGoldenCases()).filter(({ id }) => fewCases.includes(id))
  for (const name of deviceModels) await checkModel(name, cases, modelsDir)
}

async function checkGraphs(modelsDir: string): Promise<void> {
  for (const { name, run } of graphChecks) {
    tell(name, await run(modelsDir).then(() => undefined, String))
  }
}

async function checkModel(
  name: DeviceModel,
  cases: readonly GoldenCase[],
  modelsDir: string,
): Promise<void> {
  const model = await openDeviceModel(name, openWebGpuAccelerator(), modelsDir)
  const some = name === 'f32' || name === 'q8' ? cases : cases.slice(0, 2)
  for (const { name: check, run } of deviceChecks.filter((one) => one.model === name)) {
    tell(check, await run(model, some).then(() => undefined, String))
  }
  await model.close()
}

function tell(name: string, problem: string | undefined): void {
  process.send?.({ name, problem } satisfies CheckResult)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await main(process.argv[2] as CheckKind, process.argv[3]!)
}
