/**
 * What `srvr` and `mntr` report. Clients and tools read the number to learn what a server understands, so it is that of the
 * ZooKeeper whose protocol is spoken; the part behind the dash names this implementation.
 */
export const versionText = '3.9.3-vivarium-0.1.0, built on 2026-11-24 00:00 UTC'
