/** Runs the checks on the graphics card, or a driver in its place, in a process whose environment says which. */
import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { openWebGpuAccelerator } from '../../backend/model/accelerator/webgpu-accelerator.ts'
import { deviceChecks } from './device-checks.ts'
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

/** @param environment of the process, besides this one's own */
export function runOnCard(
  environment: Readonly<Record<string, string>>,
  modelsDir: string,
): Promise<CheckResult[]> {
  return new Promise((resolve, reject) => {
    const child = fork(fileURLToPath(import.meta.url), [modelsDir], {
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

async function main(modelsDir: string): Promise<void> {
  const cases = (await readGoldenCases()).filter(({ id }) => fewCases.includes(id))
  for (const name of deviceModels) await checkModel(name, cases, modelsDir)
  process.disconnect()
}

async function checkModel(
  name: DeviceModel,
  cases: readonly GoldenCase[],
  modelsDir: string,
): Promise<void> {
  const model = await openDeviceModel(name, openWebGpuAccelerator(), modelsDir)
  const some = name.startsWith('outliers') ? cases.slice(0, 2) : cases
  for (const { name: check, run } of deviceChecks.filter((one) => one.model === name)) {
    const problem = await run(model, some).then(() => undefined, String)
    process.send?.({ name: check, problem } satisfies CheckResult)
  }
  await model.close()
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main(process.argv[2]!)
