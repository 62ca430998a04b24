import { config } from '@vivarium/platform'
import { snapshotPackings } from './persistence/snapshot-packing.ts'

const { boolean, int, long, string } = config

/** A key Apache has and this server does not serve yet: named at start when it is set. */
const later = (what: string) =>
  string({ default: null, about: `${what}.`, unsupported: `${what.toLowerCase()} is not served yet` })
/** A key that tunes threads or caches Apache has and this server lacks by design. */
const moot = (what: string) =>
  string({ default: null, about: `${what}.`, unsupported: `this server has no ${what.toLowerCase()}` })

const reachabilityCheck =
  'Check before connecting: a silent connection is made anew, at whichever address answers'

const yesNo = (extra: { default: 'yes' | 'no'; about: string }) => string({ oneOf: ['yes', 'no'], ...extra })

/** Every key of `zoo.cfg` but the `server.N`, `group.N` and `weight.N` lines, as ZooKeeper 3.9 spells them. */
export const keys = {
  dataDir: string({ default: null, about: 'Where snapshots, myid and epochs live.' }),
  dataLogDir: string({ default: null, about: 'Where transaction logs live; dataDir if absent.' }),
  clientPort: int({
    default: null,
    min: 0,
    max: 65535,
    about: 'Port for clients; none is served if absent.',
  }),
  clientPortAddress: string({ default: null, about: 'Address to listen on for clients; all if absent.' }),
  tickTime: int({ default: 3000, min: 1, about: 'The unit of time, in ms.' }),
  initLimit: int({ default: null, min: 1, about: 'Ticks a learner may take to connect and synchronise.' }),
  syncLimit: int({ default: null, min: 1, about: 'Ticks a learner may lag behind.' }),
  connectToLearnerMasterLimit: int({
    default: 0,
    min: 0,
    about: 'Ticks a learner may take to connect; 0: initLimit.',
  }),
  minSessionTimeout: int({ default: -1, about: 'Shortest session timeout granted, ms; −1: 2 ticks.' }),
  maxSessionTimeout: int({ default: -1, about: 'Longest session timeout granted, ms; −1: 20 ticks.' }),
  maxClientCnxns: int({ default: 60, min: 0, about: 'Connections from one address; 0: no limit.' }),
  maxCnxns: int({ default: 0, min: 0, about: 'Connections in all; 0: no limit.' }),
  clientPortListenBacklog: int({
    default: -1,
    about: 'Length of the accept queue; −1: the system decides.',
    unsupported: 'the system decides',
  }),
  dynamicConfigFile: string({ default: null, about: 'File that holds the server lines.' }),
  reconfigEnabled: boolean({
    default: false,
    about: 'Whether clients may change the members; the files are rewritten then.',
  }),
  peerType: string({
    default: 'participant',
    oneOf: ['participant', 'observer'],
    about: 'Whether this server votes.',
  }),
  electionAlg: int({ default: 3, min: 3, max: 3, about: 'Only fast leader election (3) exists.' }),
  quorumListenOnAllIPs: boolean({ default: false, about: 'Listen for peers on all addresses.' }),
  standaloneEnabled: boolean({ default: true, about: 'Whether one server alone runs without a quorum.' }),
  'autopurge.snapRetainCount': int({ default: 3, min: 3, about: 'Snapshots that are kept.' }),
  'autopurge.purgeInterval': int({ default: 0, min: 0, about: 'Hours between purges; 0: never.' }),
  globalOutstandingLimit: int({
    default: 1000,
    min: 1,
    about: 'Requests in process before clients are held back.',
  }),
  preAllocSize: int({ default: 65536, about: 'Growth of log files, KiB.' }),
  snapCount: int({
    default: 100000,
    min: 2,
    about: 'Transactions between snapshots, or more of them in a large database.',
  }),
  snapLogFactor: config.double({
    default: 0.5,
    min: 0,
    about:
      'Transactions logged before a snapshot follows, per znode; 0: as many as snapCount says, as with Apache.',
  }),
  snapSizeLimitInKb: long({
    default: 4194304,
    about: 'Log size between snapshots, KiB; 0 or less: no limit.',
  }),
  txnLogSizeLimitInKb: long({ default: -1, about: 'Size at which a new log file is begun, KiB; −1: none.' }),
  commitLogCount: int({
    default: 500,
    min: 500,
    about: 'Committed transactions kept in memory for learners.',
  }),
  snapshotSizeFactor: config.double({
    default: 0.33,
    about: 'Log read for a learner, as a share of the snapshot; negative: none.',
  }),
  'extensions.enabled': boolean({
    default: false,
    about: 'Operations that Apache’s servers do not know; only where every server of the ensemble has them.',
  }),
  'reply.maxBytes': int({
    default: 64 * 1024 * 1024,
    min: 1024,
    about:
      'A longer reply is answered with an error instead. Best what clients have for jute.maxbuffer: those give up the connection over a longer one.',
  }),
  forceSync: yesNo({
    default: 'yes',
    about: '`no` answers before data is on disk: a power loss then loses acknowledged writes.',
  }),
  'fsync.warningthresholdms': int({ default: 1000, min: 0, about: 'Slower syncs are reported.' }),
  'nio.sessionlessCnxnTimeout': int({
    default: 10000,
    min: 1,
    about: 'How long a connection may stay without a session, ms.',
  }),
  skipACL: yesNo({ default: 'no', about: '`yes` lets everyone do everything.' }),
  'digest.enabled': boolean({ default: true, about: 'Keep a digest of the tree in every transaction.' }),
  'closeSessionTxn.enabled': boolean({
    default: true,
    about: 'List the ephemerals that go in closeSession transactions.',
  }),
  enforceQuota: boolean({
    default: false,
    about: 'Refuse what would exceed a hard quota, and log what exceeds a soft one.',
  }),
  localSessionsEnabled: boolean({
    default: false,
    about: 'Sessions that only the server knows which made them.',
  }),
  localSessionsUpgradingEnabled: boolean({
    default: false,
    about: 'Make a local session global when it creates its first ephemeral znode.',
  }),
  'readonlymode.enabled': boolean({
    default: false,
    about: 'Serve clients that only read while there is no quorum.',
  }),
  extendedTypesEnabled: boolean({ default: false, about: 'TTL znodes.' }),
  'znode.container.checkIntervalMs': int({
    default: 60000,
    min: 1,
    about: 'How often empty containers and old TTL znodes are looked for.',
  }),
  'znode.container.maxPerMinute': int({ default: 10000, min: 1, about: 'Most of them removed per minute.' }),
  'znode.container.maxNeverUsedIntervalMs': long({
    default: 0,
    min: 0,
    about: 'Age at which a never used container goes; 0: never.',
  }),
  connection_throttle_tokens: int({
    default: 0,
    min: 0,
    about: 'Tokens in the bucket that new sessions are paid from; 0: none are asked for.',
  }),
  connection_throttle_fill_time: int({ default: 1, min: 1, about: 'How often the bucket is filled, ms.' }),
  connection_throttle_fill_count: int({ default: 1, min: 1, about: 'Tokens it is filled with each time.' }),
  connection_throttle_freeze_time: int({
    default: -1,
    min: -1,
    about: 'How long the chance of being turned away stays as it is, ms; −1: there is none.',
  }),
  connection_throttle_drop_increase: config.double({
    default: 0.02,
    about: 'What that chance grows by while the bucket is empty.',
  }),
  connection_throttle_drop_decrease: config.double({
    default: 0.002,
    about: 'What it falls by while the bucket is nearly full.',
  }),
  connection_throttle_decrease_ratio: config.double({
    default: 0,
    about: 'The share of tokens that may be gone for it to fall.',
  }),
  connection_throttle_weight_enabled: boolean({
    default: false,
    about: 'Whether kinds of sessions cost different numbers of tokens.',
  }),
  connection_throttle_global_session_weight: int({ default: 3, min: 1, about: 'Tokens for a new session.' }),
  connection_throttle_local_session_weight: int({
    default: 1,
    min: 1,
    about: 'Tokens for a new local session.',
  }),
  connection_throttle_renew_session_weight: int({
    default: 2,
    min: 1,
    about: 'Tokens for a session that comes back.',
  }),
  request_throttle_max_requests: int({
    default: 0,
    min: 0,
    about: 'Requests in the pipeline at a time; 0: no limit.',
  }),
  request_throttle_stall_time: int({
    default: 100,
    min: 1,
    about: 'Longest wait between two looks at the pipeline, ms.',
    unsupported: 'a request goes on as soon as there is room',
  }),
  request_throttle_drop_stale: boolean({
    default: true,
    about: 'Drop waiting requests whose client has left.',
  }),
  request_stale_connection_check: boolean({
    default: true,
    about: 'Whether a request is stale whose client has left.',
  }),
  request_stale_latency_check: boolean({
    default: false,
    about: 'Whether a request is stale that waited longer than its session’s timeout.',
  }),
  largeRequestThreshold: int({
    default: -1,
    about: 'Requests with more bytes are large, and bounded together; −1: none is.',
  }),
  largeRequestMaxBytes: int({
    default: 100 * 1024 * 1024,
    min: 1,
    about: 'Bytes that large requests may take together.',
  }),
  throttled_op_wait_time: int({
    default: 0,
    min: 0,
    about: 'Requests that waited longer are refused (THROTTLEDOP), ms; 0: never.',
  }),
  'multiAddress.enabled': boolean({
    default: false,
    about: 'Whether server lines may name several addresses, joined by `|`.',
  }),
  'multiAddress.reachabilityCheckEnabled': moot(reachabilityCheck),
  'multiAddress.reachabilityCheckTimeoutMs': moot(reachabilityCheck),
  observerMasterPort: int({
    default: 0,
    min: 0,
    max: 65535,
    about:
      'Port where followers serve observers, and where observers look for them; 0: the leader serves them.',
  }),
  'observerMaster.sizeLimit': int({
    default: 32 * 1024 * 1024,
    min: 1024,
    about: 'What an observer may lag behind its observer master, bytes.',
  }),
  leaderServes: yesNo({ default: 'yes', about: 'Whether the leader takes clients.' }),
  cnxTimeout: int({ default: 5000, min: 1, about: 'Time to connect to a peer for election, ms.' }),
  'fastleader.minNotificationInterval': int({ default: 200, min: 1, about: 'First wait for votes, ms.' }),
  'fastleader.maxNotificationInterval': int({ default: 60000, min: 1, about: 'Longest wait for votes, ms.' }),
  leaderConnectDelayDuringRetryMs: int({
    default: 100,
    min: 0,
    about: 'Wait before a learner tries the leader again, ms.',
  }),
  'jute.maxbuffer': int({ default: 0xfffff, min: 1024, about: 'Largest request, bytes.' }),
  'snapshot.compression.method': string({
    default: '',
    oneOf: snapshotPackings,
    about: 'How snapshots are compressed: gz, snappy; empty: not at all.',
  }),
  'snapshot.trust.empty': boolean({ default: false, about: 'Accept logs without a snapshot.' }),
  '4lw.commands.whitelist': string({
    default: '',
    about: 'Four-letter words that are answered, besides srvr; `*`: all.',
  }),
  'DigestAuthenticationProvider.enabled': boolean({
    default: true,
    about: 'Authentication by user and password.',
  }),
  'DigestAuthenticationProvider.superDigest': string({
    default: null,
    about: 'The `user:hash` that may do everything.',
  }),
  'admin.enableServer': boolean({
    default: true,
    about: 'The HTTP AdminServer.',
  }),

  secureClientPort: later('TLS for clients'),
  secureClientPortAddress: later('TLS for clients'),
  syncEnabled: later('Observers without a log'),
  sslQuorum: later('TLS between peers'),
  portUnification: later('TLS between peers'),
  sslQuorumReloadCertFiles: later('TLS between peers'),
  'quorum.auth.enableSasl': later('SASL between peers'),
  'quorum.auth.learnerRequireSasl': later('SASL between peers'),
  'quorum.auth.serverRequireSasl': later('SASL between peers'),
  'quorum.auth.learner.saslLoginContext': later('SASL between peers'),
  'quorum.auth.server.saslLoginContext': later('SASL between peers'),
  'quorum.auth.kerberos.servicePrincipal': later('SASL between peers'),
  oraclePath: later('The oracle of two servers'),
  'metricsProvider.className': later('The Prometheus endpoint'),
  'metricsProvider.httpHost': later('The Prometheus endpoint'),
  'metricsProvider.httpPort': later('The Prometheus endpoint'),
  'metricsProvider.exportJvmInfo': later('The Prometheus endpoint'),
  'serializeLastProcessedZxid.enabled': later('Leaving the last zxid out of snapshots'),
  emulate353TTLNodes: later('TTL znodes of 3.5.3'),
  enableEagerACLCheck: later('Checking ACLs on the receiving server first'),
  'db.autocreate': later('Refusing to vote with an empty database'),
  'datadir.autocreate': later('Refusing to create the data directory'),
  'DigestAuthenticationProvider.digestAlg': later('Digests other than SHA1'),
  'audit.enable': later('The audit log'),
  sessionRequireClientSASLAuth: later('SASL for clients'),
  'java.security.auth.login.config': later('SASL for clients'),
  'enforce.auth.enabled': later('Enforced authentication'),
  'enforce.auth.schemes': later('Enforced authentication'),
  allowSaslFailedClients: later('SASL for clients'),
  'admin.serverAddress': later('The AdminServer'),
  'admin.serverPort': later('The AdminServer'),
  'admin.commandURL': later('The AdminServer'),
  'admin.idleTimeout': later('The AdminServer'),
  forceSnapshotSync: later('Always sending a snapshot'),
  'leader.maxTimeToWaitForEpoch': later('Giving up leadership early'),
  quorumCnxnTimeoutMs: later('A read timeout of election connections'),
  electionPortBindRetry: later('Retries at binding the election port'),
  flushDelay: later('Delaying a flush'),
  maxBatchSize: later('A bound on one flush'),
  ensembleAuthName: later('Ensemble authentication'),

  'quorum.cnxn.threads.size': moot('Thread pool for connections'),
  'nio.numSelectorThreads': moot('Selector threads'),
  'nio.numWorkerThreads': moot('Worker threads'),
  'nio.directBufferBytes': moot('Direct buffers'),
  serverCnxnFactory: moot('Choice of connection factories'),
  intBufferStartingSizeBytes: moot('Starting buffer'),
  maxResponseCacheSize: moot('Response cache'),
  maxGetChildrenResponseCacheSize: moot('Response cache'),
  watchManagerName: moot('Choice of watch managers'),
  'commitProcessor.numWorkerThreads': moot('Commit workers'),
  'jvm.pause.monitor': moot('JVM'),
  'jvm.pause.sleep.time.ms': moot('JVM'),
  'jvm.pause.warn-threshold.ms': moot('JVM'),
  'jvm.pause.info-threshold.ms': moot('JVM'),
} as const
