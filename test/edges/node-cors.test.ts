import { describeCors } from '../support/cors-suite.ts'
import { startNodeEdge } from '../support/node-edge.ts'

describeCors('Node', startNodeEdge)
