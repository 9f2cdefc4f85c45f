// What the rules say about one request.
export { type CompiledRouteTable, compileRouteTable } from './compile-route-table.ts';
export type * from './route-table.ts';
