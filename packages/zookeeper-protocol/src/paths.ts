/**
 * What is wrong with a znode's path, or null if nothing is. Source: PathUtils.validatePath.
 */
export function pathProblem(path: string): string | null {
  if (path === '') return 'path is empty'
  if (path[0] !== '/') return 'path does not begin with /'
  if (path === '/') return null
  if (path.endsWith('/')) return 'path ends with /'
  let hasDot = false
  for (let i = 1; i < path.length; i++) {
    const unit = path.charCodeAt(i)
    if (unit === 0x2e) hasDot = true
    if (unit === 0x2f) {
      if (path.charCodeAt(i - 1) === 0x2f) return 'path has an empty element'
    } else if (isRefused(unit)) {
      return `path holds the character 0x${unit.toString(16)} at ${i}`
    }
  }
  if (hasDot && /\/\.\.?(\/|$)/.test(path)) return 'path has an element . or ..'
  return null
}

/** Control characters, surrogates, private use, and the specials. */
function isRefused(unit: number): boolean {
  return unit < 0x20 || (unit > 0x7e && unit < 0xa0) || (unit >= 0xd800 && unit <= 0xf8ff) || unit >= 0xfff0
}

/** `/a` for `/a/b`, `/` for `/a`. The root has no parent: null. */
export function parentOf(path: string): string | null {
  const slash = path.lastIndexOf('/')
  if (slash < 0 || path === '/') return null
  return slash === 0 ? '/' : path.slice(0, slash)
}

/** `b` for `/a/b`. */
export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}
