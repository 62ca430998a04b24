import { client } from './client-target.ts'
import { election } from './election-target.ts'
import { files } from './files-target.ts'
import { follower } from './follower-target.ts'
import { leader } from './leader-target.ts'
import type { TargetKind } from './target.ts'

/** Everything bytes come in by. */
export const targets: Record<string, TargetKind> = { client, leader, follower, election, files }
