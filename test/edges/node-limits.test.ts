import { describeLimits } from '../support/suites/limit-suite.ts'
import { startNodeEdge } from '../support/edges/node-edge.ts'

describeLimits('Node', (settings) => startNodeEdge(settings))
