import { startNodeEdge } from '../support/edges/node-edge.ts'
import { describeReasoning } from '../support/suites/reasoning-suite.ts'

describeReasoning('Node', (settings) => startNodeEdge(settings))
