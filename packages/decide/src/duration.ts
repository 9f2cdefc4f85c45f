// google.protobuf.Duration as milliseconds.
import type { Duration } from '@bufbuild/protobuf/wkt';

export function durationMs(duration: Duration): number {
  return Number(duration.seconds) * 1000 + duration.nanos / 1e6;
}
