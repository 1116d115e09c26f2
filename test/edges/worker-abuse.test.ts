import { describeAbuse } from '../support/abuse-suite.ts'
import { startWorkerd } from '../support/workerd-edge.ts'

describeAbuse('Worker', (settings, persist) => startWorkerd(settings, { persist }))
