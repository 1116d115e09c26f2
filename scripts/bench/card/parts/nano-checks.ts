import { openWebGpuAccelerator } from '../../../../backend/model/accelerator/webgpu-accelerator.ts'
import type { Model } from '../../../../backend/model/model.ts'
import { deviceChecks } from '../../../../test/parity/device-checks.ts'
import {
  deviceModels,
  openDeviceModel,
  type DeviceModel,
} from '../../../../test/parity/device-models.ts'
import type { GoldenCase } from '../../../../test/parity/golden-cases.ts'
import { timed } from '../../measure.ts'
import type { Step } from './part.ts'

/** Cases for models that show one thing more than another one. */
const casesOfOthers = 2

interface CheckOptions {
  /** For what is converted. */
  readonly modelsDir: string
  readonly cases: () => Promise<readonly GoldenCase[]>
}

/** Everything that the device form of the tiny model must do; `npm test` checks the same on a software driver. */
export function nanoChecks({ modelsDir, cases }: CheckOptions): Step[] {
  return deviceModels.flatMap((model) => {
    const opened = openedOnce(() => openDeviceModel(model, openWebGpuAccelerator(), modelsDir))
    const checks = deviceChecks.filter((check) => check.model === model)
    return checks.map(({ name, run }, i) => ({
      name,
      async *run() {
        const some = (await cases()).slice(0, isNano(model) ? undefined : casesOfOthers)
        let ms: number
        try {
          ms = await timed(async () => run(await opened.model(), some))
        } finally {
          if (i === checks.length - 1) await opened.close()
        }
        const seconds = ms / 1000
        yield { name, value: `right in ${seconds.toFixed(1)} s`, ratio: '', data: { seconds } }
      },
    }))
  })
}

function isNano(model: DeviceModel): boolean {
  return model === 'f32' || model === 'q8'
}

/** A model for several steps, opened by the first. */
export function openedOnce(open: () => Promise<Model>) {
  let opened: Promise<Model> | undefined
  return {
    model: () => (opened ??= open()),
    close: async () => (await opened)?.close(),
  }
}
