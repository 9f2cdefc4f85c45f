// What generated code imports instead of protobuf-es's own codegen module. Its `fileDesc` walks the whole graph of
// imports anew for every file: half of the time that loading the Envoy types takes, in every sidecar. A file's
// descriptor needs only its direct imports, so that is what it is shown.
import type { DescFile } from '@bufbuild/protobuf';
import { fileDesc as describe, enumDesc, extDesc, messageDesc, serviceDesc } from '@bufbuild/protobuf/codegenv2';

export { enumDesc, extDesc, messageDesc, serviceDesc };

const withoutImports = new Map<DescFile, DescFile>();

function shallow(file: DescFile): DescFile {
  let copy = withoutImports.get(file);
  if (copy === undefined) {
    copy = { ...file, dependencies: [] };
    withoutImports.set(file, copy);
  }
  return copy;
}

export function fileDesc(encoded: string, imports: DescFile[] = []): DescFile {
  return Object.assign(describe(encoded, imports.map(shallow)), { dependencies: imports });
}
