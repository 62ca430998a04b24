/** Width of a column that holds `values` under a heading of its own, and is never narrower than `least`. */
export function columnWidth(least: number, values: Iterable<string>): number {
  let width = least
  for (const value of values) width = Math.max(width, value.length)
  return width
}

/** Cells padded to their widths and joined by a blank; a width of 0 leaves a cell as it is. */
export function row(widths: readonly number[], cells: readonly (string | number)[]): string {
  return `${cells.map((cell, i) => String(cell).padEnd(widths[i] ?? 0)).join(' ')}\n`
}
