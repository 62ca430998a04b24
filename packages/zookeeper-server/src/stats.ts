/** A quantity that is sampled: how often, how much, least and most. */
export class Summary {
  count = 0
  sum = 0
  min = 0
  max = 0

  add(value: number): void {
    if (this.count === 0 || value < this.min) this.min = value
    if (value > this.max) this.max = value
    this.count++
    this.sum += value
  }

  /** What has lasted until now since each of these beginnings. */
  addUntil(now: number, beginnings: Summary): void {
    const { count, sum, min, max } = beginnings
    if (this.count === 0 || now - max < this.min) this.min = now - max
    if (now - min > this.max) this.max = now - min
    this.count += count
    this.sum += now * count - sum
  }

  get average(): number {
    return this.count === 0 ? 0 : this.sum / this.count
  }

  reset(): void {
    this.count = 0
    this.sum = 0
    this.min = 0
    this.max = 0
  }
}

/** What a server counts while it runs; `mntr` and `srvr` print it. Plain fields, so that counting costs nothing. */
export class ServerStats {
  readonly latencyMs: Summary = new Summary()
  packetsReceived = 0
  packetsSent = 0
  bytesReceived = 0
  connectionRequests = 0
  connectionsRejected = 0
  connectionsDropped = 0
  sessionlessExpired = 0
  staleSessionsExpired = 0
  requestsThrottled = 0
  throttledOperations = 0
  staleRequests = 0
  staleRequestsDropped = 0
  authFailures = 0
  oversizedRequests = 0
  commits = 0
  lookings = 0
  digestMismatches = 0
  snapshots = 0
  snapshotErrors = 0
  unrecoverableErrors = 0
  readonly responseBytes: Summary = new Summary()
  lastResponseBytes = -1
  readonly snapshotMs: Summary = new Summary()
  readonly loadMs: Summary = new Summary()
  readonly electionMs: Summary = new Summary()
  readonly unavailableMs: Summary = new Summary()

  reset(): void {
    for (const value of Object.values(this)) if (value instanceof Summary) value.reset()
    this.packetsReceived = 0
    this.packetsSent = 0
    this.bytesReceived = 0
    this.connectionRequests = 0
    this.connectionsRejected = 0
    this.connectionsDropped = 0
    this.sessionlessExpired = 0
    this.staleSessionsExpired = 0
    this.requestsThrottled = 0
    this.throttledOperations = 0
    this.staleRequests = 0
    this.staleRequestsDropped = 0
    this.authFailures = 0
    this.oversizedRequests = 0
    this.commits = 0
    this.lookings = 0
    this.snapshots = 0
    this.lastResponseBytes = -1
  }
}
