/** Entry of the inference process: onnxruntime, weights and caches exist only here. */
import type { Accelerator } from '../model/accelerator/accelerator.ts'
import { captureProblem } from '../model/accelerator/can-capture.ts'
import { openWebGpuAccelerator } from '../model/accelerator/webgpu-accelerator.ts'
import { readTokenizerFile } from '../model/config/tokenizer-file.ts'
import { loadingPipe } from '../model/loading/loading-line.ts'
import { loadModel } from '../model/load-model.ts'
import { runChild } from './child/run-child.ts'

/** Runs are recorded once and repeated where this version of onnxruntime-node can. */
async function openAccelerator(): Promise<Accelerator> {
  const isCapturing = (await captureProblem()) === undefined
  return openWebGpuAccelerator(isCapturing ? { repeats: 'captured' } : {})
}

runChild(
  async ({ card, ...options }) => {
    const device = card && { ...card, accelerator: await openAccelerator() }
    return loadModel({ ...options, device, loadingPipe })
  },
  async (modelFolder) => (await readTokenizerFile(modelFolder)).tokenBytes,
)
