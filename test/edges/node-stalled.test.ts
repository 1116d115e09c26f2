import { startNodeEdge } from '../support/node-edge.ts'
import { describeStalledStreams } from '../support/stalled-suite.ts'

describeStalledStreams('Node', startNodeEdge)
