/** Entry of the inference process: onnxruntime, weights and caches exist only here. */
import { loadModel } from '../model/load-model.ts'
import { runChild } from './run-child.ts'

runChild(loadModel)
