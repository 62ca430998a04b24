/** The lowest opcode is −11. */
const below = 16

/** A set of opcodes that every request is held against: a look into an array instead of a search. */
export class OpCodeSet {
  readonly #members: Uint8Array

  constructor(codes: readonly number[]) {
    this.#members = new Uint8Array(Math.max(...codes) + below + 1)
    for (const code of codes) this.#members[code + below] = 1
  }

  has(code: number): boolean {
    return this.#members[code + below] === 1
  }
}
