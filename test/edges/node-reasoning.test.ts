import { startNodeEdge } from '../support/node-edge.ts'
import { describeReasoning } from '../support/reasoning-suite.ts'

describeReasoning('Node', (settings) => startNodeEdge(settings))
