import type { Checkpoint } from '../../../checkpoint/checkpoint.ts'
import type { BuiltGraph } from '../../../graph/graph-builder.ts'
import type { TextConfig, VisionConfig } from '../../config/model-config.ts'
import { canChooseExperts } from '../../deepseek/device/network/chosen-experts.ts'
import { buildDeviceGraph, type DeviceGraphs } from '../../deepseek/device/network/device-graph.ts'
import type { CacheType } from '../../deepseek/device/network/paged-attention.ts'
import {
  buildDeviceVisionGraphs,
  type DeviceVisionGraphs,
} from '../../moonvit/device/device-vision-graphs.ts'
import { componentForms, type FormChoice } from './weight-forms.ts'

interface DeviceChoice extends FormChoice {
  readonly cacheType: CacheType
}

/** The graph whose weights are written to the weights file. */
export function allExpertsGraph(
  config: TextConfig,
  checkpoint: Checkpoint,
  choice: DeviceChoice,
): BuiltGraph {
  const options = { forms: componentForms(choice), cacheType: choice.cacheType }
  return buildDeviceGraph(config, checkpoint, { ...options, experts: 'all' })
}

/** @param allExperts as made by `allExpertsGraph` for the same choice */
export function deviceGraphs(
  config: TextConfig,
  checkpoint: Checkpoint,
  choice: DeviceChoice,
  allExperts: BuiltGraph,
): DeviceGraphs {
  const forms = componentForms(choice)
  const form = forms.experts
  if (form.kind !== 'q8-blocks' || !canChooseExperts(config, form.blockSize)) {
    return { allExperts, chosenExperts: undefined }
  }
  const options = { forms, cacheType: choice.cacheType, experts: 'chosen' } as const
  return { allExperts, chosenExperts: buildDeviceGraph(config, checkpoint, options) }
}

export function deviceVisionGraphs(
  config: VisionConfig,
  checkpoint: Checkpoint,
  choice: FormChoice,
): DeviceVisionGraphs {
  return buildDeviceVisionGraphs(config, checkpoint, componentForms(choice).vision)
}
