/** Entry of the inference process: onnxruntime, weights and caches exist only here. */
import { openWebGpuAccelerator } from '../model/accelerator/webgpu-accelerator.ts'
import { readTokenizerFile } from '../model/config/tokenizer-file.ts'
import { loadingPipe } from '../model/loading/loading-line.ts'
import { loadModel } from '../model/load-model.ts'
import { runChild } from './run-child.ts'

runChild(
  ({ card, ...options }) => {
    const device = card && { ...card, accelerator: openWebGpuAccelerator() }
    return loadModel({ ...options, device, loadingPipe })
  },
  async (modelFolder) => (await readTokenizerFile(modelFolder)).tokenBytes,
)
