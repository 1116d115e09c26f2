/**
 * First line of the pointer file that a clone without Git LFS has instead of a large file (git-lfs.com,
 * "Specification").
 */
export const lfsPointerStart = 'version https://git-lfs.github.com/spec/'

export const lfsPointerProblem =
  'is a Git LFS pointer instead of the file itself: run "git lfs pull" in its folder'
