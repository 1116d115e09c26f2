import type { Checkpoint } from '../../../checkpoint/checkpoint.ts'
import type { BuiltGraph } from '../../../graph/graph-builder.ts'
import { placedAs } from '../../../graph/placed-graph.ts'
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

/**
 * @param whole as made by `allExpertsGraph` for the same choice
 * @param from the first layer that is on the device, as are all after it
 */
export function deviceGraphs(
  config: TextConfig,
  checkpoint: Checkpoint,
  choice: DeviceChoice,
  whole: BuiltGraph,
  from = 0,
): DeviceGraphs {
  const layers = { from, to: config.num_hidden_layers }
  const forms = componentForms(choice)
  const build = (experts: 'all' | 'chosen') =>
    buildDeviceGraph(config, checkpoint, { forms, cacheType: choice.cacheType, experts, layers })
  const allExperts = from === 0 ? whole : placedAs(whole, build('all'))
  const form = forms.experts
  const canChoose = form.kind === 'q8-blocks' && canChooseExperts(config, form.blockSize)
  return { layers, allExperts, chosenExperts: canChoose ? build('chosen') : undefined }
}

export function deviceVisionGraphs(
  config: VisionConfig,
  checkpoint: Checkpoint,
  choice: FormChoice,
): DeviceVisionGraphs {
  return buildDeviceVisionGraphs(config, checkpoint, componentForms(choice).vision)
}
