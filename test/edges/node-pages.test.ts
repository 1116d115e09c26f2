import { startNodeEdge } from '../support/edges/node-edge.ts'
import { describePages } from '../support/suites/page-suite.ts'

describePages('Node', startNodeEdge)
