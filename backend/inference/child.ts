/** Entry of the inference process: onnxruntime, weights and caches exist only here. */
import { readTokenizerFile } from '../model/config/tokenizer-file.ts'
import { loadModel } from '../model/load-model.ts'
import { runChild } from './run-child.ts'

runChild(loadModel, async (modelFolder) => (await readTokenizerFile(modelFolder)).tokenBytes)
