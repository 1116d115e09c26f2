/** Entry of the inference process: onnxruntime, weights and caches live here, and nowhere else. */
import { loadModel } from '../model/load-model.ts'
import { runChild } from './run-child.ts'

runChild(loadModel)
