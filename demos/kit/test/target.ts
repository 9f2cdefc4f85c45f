// Where an application under test is reached: its programs on this machine's ports, or its Services in a mesh.
import type { Program } from './program.ts';

export interface Target {
  /** `service` by the name that the manifests give it, `path` with its query. */
  fetch(service: string, path: string, init?: RequestInit): Promise<Response>;
}

/** The programs of an application that runs without a mesh, by the names of their Services. */
export function alone(programs: Readonly<Record<string, Pick<Program, 'port'>>>): Target {
  return {
    fetch(service, path, init) {
      const program = programs[service];
      if (program === undefined) throw new Error(`no program stands for the service ${service}`);
      return fetch(`http://127.0.0.1:${program.port}${path}`, init);
    },
  };
}
