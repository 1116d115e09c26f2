import { describeCors } from '../support/suites/cors-suite.ts'
import { startNodeEdge } from '../support/edges/node-edge.ts'

describeCors('Node', startNodeEdge)
