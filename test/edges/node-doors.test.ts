import { describeDoors } from '../support/suites/door-suite.ts'
import { startNodeEdge } from '../support/edges/node-edge.ts'

describeDoors('Node', (settings) => startNodeEdge(settings))
