import { describeStalledStreams } from '../support/suites/stalled-suite.ts'
import { startWorkerd } from '../support/edges/workerd-edge.ts'

describeStalledStreams('Worker', (settings) => startWorkerd(settings))
