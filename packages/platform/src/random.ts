/** The door to chance. */
export interface Random {
  /** An integer in 0..bound−1. */
  below(bound: number): number
  /** Unpredictable bytes, fit for ids and secrets. */
  bytes(count: number): Buffer
}
