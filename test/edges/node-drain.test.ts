import { programs } from '../../scripts/support/programs.ts'
import { describeDrain } from '../support/suites/drain-suite.ts'

describeDrain('Node', programs.nodeEdge)
