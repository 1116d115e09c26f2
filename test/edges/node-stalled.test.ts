import { startNodeEdge } from '../support/edges/node-edge.ts'
import { describeStalledStreams } from '../support/suites/stalled-suite.ts'

describeStalledStreams('Node', startNodeEdge)
