export { type ServerWorld, ZooKeeperServer } from './server.ts'
export { readSettings, type ServerSettings } from './settings.ts'
