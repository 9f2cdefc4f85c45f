// A proxy as a library: several can live in one process. The program is main.ts.
export { type BootstrapConfig, BootstrapError, parseBootstrap } from './bootstrap.ts';
export { type Level, Logger } from './observe/logger.ts';
export { ProxyInstance, type ProxyInstanceOptions, type ServerState } from './runtime/proxy-instance.ts';
