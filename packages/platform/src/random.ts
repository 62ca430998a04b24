/** The door to chance. */
export interface Random {
  /** An integer in 0..bound−1, for choices and delays; nothing that is shown and must not be foreseen. */
  below(bound: number): number
  /** Unpredictable bytes, fit for ids and secrets. */
  bytes(count: number): Buffer
}
