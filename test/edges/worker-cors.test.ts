import { describeCors } from '../support/cors-suite.ts'
import { startWorkerd } from '../support/workerd-edge.ts'

describeCors('Worker', (settings, vars) => startWorkerd(settings, { vars }))
