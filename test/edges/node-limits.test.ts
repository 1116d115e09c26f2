import { describeLimits } from '../support/limit-suite.ts'
import { startNodeEdge } from '../support/node-edge.ts'

describeLimits('Node', (settings) => startNodeEdge(settings))
