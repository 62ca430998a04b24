// Loaded into every supervised process: when the supervisor is gone, however it ended, the process stops in order
// instead of holding ports nobody knows of.
process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'))
