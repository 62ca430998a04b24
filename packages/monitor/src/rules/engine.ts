import { type HashOf, type OpenAlerts, step } from '../alerts/lifecycle.ts'
import type { AlertRecord, LogRecord, MetricsRecord } from '../records.ts'
import { type Rule, rules } from './rules.ts'
import { applyLog, applyMetrics, emptyView, type View } from './view.ts'

/** All the engine knows: saved beside the offsets it was reached at. */
export interface EngineState {
  view: View
  open: OpenAlerts
}

/** Decides over the topics: records in, transitions of alerts out. Pure; its time is the time the records tell. */
export class RuleEngine {
  readonly #rules: readonly Rule[]
  readonly #hashOf: HashOf
  readonly #state: EngineState

  constructor(
    cluster: string,
    servers: readonly string[],
    hashOf: HashOf,
    saved: EngineState | null = null,
    ruleSet: readonly Rule[] = rules,
  ) {
    this.#rules = ruleSet
    this.#hashOf = hashOf
    this.#state = saved ?? { view: emptyView(cluster, servers), open: {} }
    this.#state.view.expected = [...servers]
  }

  get state(): EngineState {
    return this.#state
  }

  log(record: LogRecord): AlertRecord[] {
    applyLog(this.#state.view, record)
    return this.#evaluate()
  }

  metrics(record: MetricsRecord): AlertRecord[] {
    applyMetrics(this.#state.view, record)
    return this.#evaluate()
  }

  #evaluate(): AlertRecord[] {
    const { view, open } = this.#state
    const found = this.#rules.map(rule => ({ rule, findings: rule.find(view) }))
    return step(open, found, view.nowMs, view.cluster, this.#hashOf)
  }
}
