import { describeDoors } from '../support/door-suite.ts'
import { startWorkerd } from '../support/workerd-edge.ts'

describeDoors('Worker', (settings) => startWorkerd(settings))
