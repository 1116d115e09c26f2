import { describeDoors } from '../support/door-suite.ts'
import { startNodeEdge } from '../support/node-edge.ts'

describeDoors('Node', (settings) => startNodeEdge(settings))
