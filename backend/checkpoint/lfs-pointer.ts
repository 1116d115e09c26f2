/** How a file begins that a clone without Git LFS has in the place of a large one (git-lfs.com, "Specification"). */
export const lfsPointerStart = 'version https://git-lfs.github.com/spec/'

export const lfsPointerProblem =
  'is a Git LFS pointer instead of the file itself: run "git lfs pull" in its folder'
