import { startNodeEdge } from '../support/node-edge.ts'
import { describePages } from '../support/page-suite.ts'

describePages('Node', startNodeEdge)
