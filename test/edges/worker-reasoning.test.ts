import { describeReasoning } from '../support/reasoning-suite.ts'
import { startWorkerd } from '../support/workerd-edge.ts'

describeReasoning('Worker', (settings) => startWorkerd(settings))
