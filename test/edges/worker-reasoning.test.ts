import { describeReasoning } from '../support/suites/reasoning-suite.ts'
import { startWorkerd } from '../support/edges/workerd-edge.ts'

describeReasoning('Worker', (settings) => startWorkerd(settings))
