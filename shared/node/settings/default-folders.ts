import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const project = fileURLToPath(new URL('../../..', import.meta.url))

/** Default of STATE_DIR: that of `npm start`, whatever folder a program is started in. */
export const defaultStateDir = join(project, '.local')

/** Default of MODEL_PATH: the model that is included, whatever folder a program is started in. */
export const defaultModelPath = join(project, 'models', 'kimi-vl-nano')
