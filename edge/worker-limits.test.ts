import { describeLimits } from '../test/support/limit-suite.ts'
import { startWorkerd } from '../test/support/workerd-edge.ts'

describeLimits('Worker', (settings) => startWorkerd(settings))
