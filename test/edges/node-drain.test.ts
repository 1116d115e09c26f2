import { programs } from '../../scripts/programs.ts'
import { describeDrain } from '../support/drain-suite.ts'

describeDrain('Node', programs.nodeEdge)
