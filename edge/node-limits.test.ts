import { describeLimits } from '../test/support/limit-suite.ts'
import { startNodeEdge } from '../test/support/node-edge.ts'

describeLimits('Node', (settings) => startNodeEdge(settings))
