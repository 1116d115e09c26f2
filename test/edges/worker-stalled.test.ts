import { describeStalledStreams } from '../support/stalled-suite.ts'
import { startWorkerd } from '../support/workerd-edge.ts'

describeStalledStreams('Worker', (settings) => startWorkerd(settings))
