/** What a partition's log goes by; each topic can have its own. */
export interface TopicLogConfig {
  segmentBytes: number
  segmentMs: number
  indexIntervalBytes: number
  indexSizeBytes: number
  retentionMs: number
  retentionBytes: number
  maxMessageBytes: number
  cleanupPolicy: readonly ('delete' | 'compact')[]
  messageTimestampType: 'CreateTime' | 'LogAppendTime'
  flushMessages: number
}
